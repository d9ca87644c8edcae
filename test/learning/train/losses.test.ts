import { describe, expect, it, vi } from 'vitest'
import { createRandom } from '#base'
import {
  constant,
  createProgram,
  gradients,
  type Node,
  sum,
  type Tensor,
  tensor,
  variable,
} from '#engine'
// The losses are not part of the folder's face: TrainStep and ForwardPass are.
import {
  flatten,
  logProbabilities,
  projectedKl,
  rowCrossEntropy,
  sumBySlot,
  teacherInputs,
  teacherIsBetter,
  weightedMean,
} from '../../../learning/train/losses.ts'
import { executor } from './toy-models.ts'

// Seconds alone on a machine; compiling is slow beside other work.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

async function evaluate(
  outputs: Record<string, Node>,
  variables: Record<string, Tensor>,
  feeds: Record<string, Tensor> = {},
): Promise<Record<string, number[]>> {
  const session = await executor.compile(createProgram({ outputs }))
  await session.writeVariables(new Map(Object.entries(variables)))
  const result = await session.run(feeds)
  await session.close()
  return Object.fromEntries(Object.entries(result).map(([name, { data }]) => [name, [...data]]))
}

const floats = (values: readonly number[], shape: readonly number[] = [values.length]) =>
  tensor(Float32Array.from(values), shape)
const ints = (values: readonly number[]) => tensor(Int32Array.from(values), [values.length])
const ids = (values: readonly number[]) => constant(Int32Array.from(values), [values.length])

const softmax = (logits: readonly number[]): number[] => {
  const powers = logits.map((x) => Math.exp(x - Math.max(...logits)))
  const total = powers.reduce((a, b) => a + b)
  return powers.map((x) => x / total)
}

describe('projectedKl', () => {
  const [rows, studentSize, teacherSize, topK, temperature] = [3, 7, 5, 2, 2]
  const logs = (x: Node, at = temperature) => flatten(logProbabilities(x, at))
  const random = createRandom('projected')
  const logits = Array.from({ length: rows }, () =>
    Array.from({ length: studentSize }, () => 2 * random.normal()),
  )
  // Row-stochastic, but for token 6, which stands for nothing of the teacher's: its mass is tail.
  const projection = [
    [1, 0, 0, 0, 0],
    [0, 1, 0, 0, 0],
    [0.9, 0, 0.1, 0, 0],
    [0, 0, 1, 0, 0],
    [0, 0, 0, 0.9, 0.1],
    [0, 0, 0, 0, 1],
    [0, 0, 0, 0, 0],
  ]
  const teacherRows = Array.from({ length: rows }, () =>
    softmax(Array.from({ length: teacherSize }, () => random.normal())),
  )
  const top = teacherRows.map((row) =>
    row
      .map((probability, token) => ({ probability, token }))
      .sort((a, b) => b.probability - a.probability)
      .slice(0, topK),
  )

  /** The obvious twin: dense, in double precision. */
  function denseKl(at: readonly (readonly number[])[]): number[] {
    return at.map((row, r) => {
      const student = softmax(row.map((x) => x / temperature))
      const seen = Array.from({ length: teacherSize }, (_, v) =>
        student.reduce((mass, p, u) => mass + p * projection[u]![v]!, 0),
      )
      const buckets = top[r]!.map(({ probability, token }) => [probability, seen[token]!] as const)
      const rest = (side: 0 | 1) => 1 - buckets.reduce((mass, bucket) => mass + bucket[side], 0)
      const all = [...buckets, [rest(0), rest(1)] as const]
      return temperature ** 2 * all.reduce((kl, [p, q]) => kl + p * Math.log(p / q), 0)
    })
  }

  /** The entries of W that the teacher's top-k needs, as a training graph reads them. */
  function sparse() {
    const entries = top.flatMap((row, r) =>
      row.flatMap(({ token }, k) =>
        projection.flatMap((weights, u) =>
          weights[token]! > 0
            ? [{ flat: r * studentSize + u, weight: weights[token]!, slot: r * topK + k }]
            : [],
        ),
      ),
    )
    // Unused entries have weight 0 and point anywhere.
    const padded = [...entries, { flat: 3, weight: 0, slot: 1 }]
    return {
      count: padded.length,
      feeds: {
        flatIndex: ints(padded.map(({ flat }) => flat)),
        weight: floats(padded.map(({ weight }) => weight)),
        slot: ints(padded.map(({ slot }) => slot)),
        teacher: floats(
          top.flatMap((row) => row.map(({ probability }) => probability)),
          [rows, topK],
        ),
        tail: floats(
          top.map((row) => 1 - row.reduce((mass, { probability }) => mass + probability, 0)),
        ),
      },
    }
  }

  it('is the dense divergence, and its gradient that of the dense one', async () => {
    const { count, feeds } = sparse()
    const x = variable('x', [rows, studentSize])
    const kl = projectedKl(logs(x), teacherInputs(rows, topK, count), temperature)
    const [gradient] = gradients(sum(kl, [0], { keepDims: false }), [x])
    const result = await evaluate(
      { kl, gradient: gradient! },
      { x: floats(logits.flat(), [rows, studentSize]) },
      feeds,
    )
    const dense = denseKl(logits)
    for (const [r, value] of dense.entries()) expect(result.kl![r]).toBeCloseTo(value, 4)
    const total = (values: readonly number[]) => values.reduce((a, b) => a + b)
    const step = 1e-4
    for (let r = 0; r < rows; r++)
      for (let u = 0; u < studentSize; u++) {
        const moved = (by: number) =>
          total(
            denseKl(logits.map((row, i) => row.map((z, j) => z + (i === r && j === u ? by : 0)))),
          )
        const slope = (moved(step) - moved(-step)) / (2 * step)
        expect(result.gradient![r * studentSize + u]).toBeCloseTo(slope, 4)
      }
  })

  it('is 0, with no gradient, where the student says what the teacher says', async () => {
    const same = [0.5, 0.3, 0.15, 0.05]
    const x = variable('x', [1, 4])
    const kl = projectedKl(logs(x), teacherInputs(1, 2, 2), temperature)
    const [gradient] = gradients(sum(kl, [0], { keepDims: false }), [x])
    const result = await evaluate(
      { kl, gradient: gradient! },
      {
        x: floats(
          same.map((p) => temperature * Math.log(p)),
          [1, 4],
        ),
      },
      {
        flatIndex: ints([0, 1]),
        weight: floats([1, 1]),
        slot: ints([0, 1]),
        teacher: floats([0.5, 0.3], [1, 2]),
        tail: floats([0.2]),
      },
    )
    expect(result.kl![0]).toBeCloseTo(0, 5)
    for (const slope of result.gradient!) expect(slope).toBeCloseTo(0, 5)
  })

  it('stays finite where the teacher is certain and the student is sure of something else', async () => {
    const x = variable('x', [1, 3])
    const kl = projectedKl(logs(x, 1), teacherInputs(1, 1, 1), 1)
    const [gradient] = gradients(sum(kl, [0], { keepDims: false }), [x])
    const feeds = {
      flatIndex: ints([0]),
      weight: floats([1]),
      slot: ints([0]),
      teacher: floats([1], [1, 1]),
      tail: floats([0]),
    }
    for (const logit of [-200, 200]) {
      const result = await evaluate(
        { kl, gradient: gradient! },
        { x: floats([logit, 0, 0], [1, 3]) },
        feeds,
      )
      expect([...result.kl!, ...result.gradient!].every(Number.isFinite)).toBe(true)
    }
  })
})

describe('rowCrossEntropy', () => {
  it('is minus the logarithm of the probability of the target', async () => {
    const logits = [1, -1, 0.5, 2, 0, 0]
    const nll = rowCrossEntropy(variable('x', [2, 3]), ids([2, 1]))
    const result = await evaluate({ nll }, { x: floats(logits, [2, 3]) })
    expect(result.nll![0]).toBeCloseTo(-Math.log(softmax(logits.slice(0, 3))[2]!), 5)
    expect(result.nll![1]).toBeCloseTo(-Math.log(softmax(logits.slice(3))[1]!), 5)
  })
})

describe('weightedMean', () => {
  it('weighs, and is 0 where nothing is weighted', async () => {
    const mean = weightedMean(variable('x', [3]), variable('w', [3]))
    const x = floats([1, 2, 6])
    expect((await evaluate({ mean }, { x, w: floats([1, 0, 1]) })).mean).toEqual([3.5])
    expect((await evaluate({ mean }, { x, w: floats([0.5, 0, 0.25]) })).mean![0]).toBeCloseTo(8 / 3)
    expect((await evaluate({ mean }, { x, w: floats([0, 0, 0]) })).mean).toEqual([0])
  })
})

describe('sumBySlot', () => {
  it('adds up by slot and leaves empty slots at 0', async () => {
    const sums = sumBySlot(variable('x', [4]), ids([2, 0, 2, 0]), 4)
    expect((await evaluate({ sums }, { x: floats([1, 2, 4, 8]) })).sums).toEqual([10, 0, 5, 0])
  })
})

describe('teacherIsBetter', () => {
  it('opens for the examples on which the teacher needs fewer nats per byte', async () => {
    const gate = (teacher: readonly number[]) =>
      evaluate(
        {
          open: teacherIsBetter(
            variable('nll', [5]),
            variable('mask', [5]),
            ids([0, 0, 1, 1, 0]),
            variable('teacher', [3]),
            variable('bytes', [3]),
          ),
        },
        {
          nll: floats([1, 1, 3, 1, 9]),
          // The last row is padding; it lies in slot 0 and must not count.
          mask: floats([1, 1, 1, 1, 0]),
          teacher: floats(teacher),
          // Nats per byte of the student: 2 / 4 and 4 / 2. The third slot is empty.
          bytes: floats([4, 2, 0]),
        },
      )
    expect((await gate([0.4, 2.1, 0])).open!.slice(0, 4)).toEqual([1, 1, 0, 0])
    expect((await gate([0.6, 1.9, 0])).open!.slice(0, 4)).toEqual([0, 0, 1, 1])
    expect((await gate([0.5, 2, 0])).open!.slice(0, 4)).toEqual([0, 0, 0, 0])
  })

  it('lets no gradient through', async () => {
    const nll = variable('nll', [2])
    const ones = variable('ones', [2])
    const open = teacherIsBetter(nll, ones, ids([0, 1]), ones, ones)
    const [gradient] = gradients(sum(open, [0], { keepDims: false }), [nll])
    const result = await evaluate({ gradient: gradient! }, {})
    expect(result.gradient).toEqual([0, 0])
  })
})
