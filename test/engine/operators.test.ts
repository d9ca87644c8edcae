import { describe, expect, it } from 'vitest'
import { createRandom } from '#base'
import * as engine from '#engine'
import { evaluations } from '../../engine/tensorflow/evaluate.ts'
import type { Tf, TfTensor } from '../../engine/tensorflow/evaluation.ts'
import { type OperatorCase, operatorCases } from './cases.ts'
import { onOracle } from './tensorflow-oracle.ts'

const executors = {
  onnxruntime: engine.createExecutor('onnxruntime', { threads: 1 }),
  tensorflow: engine.createExecutor('tensorflow'),
}
const LEAVES = ['input', 'weight', 'variable', 'constant']
const DIFFERENCE = 1e-2

it('has a case for every operator', () => {
  const covered = new Set<string>([...LEAVES, ...operatorCases.map(({ operator }) => operator)])
  expect(Object.keys(evaluations).filter((operator) => !covered.has(operator))).toEqual([])
})

describe.each(operatorCases)('$title', (operatorCase) => {
  const { values, xs, y, weights } = setUp(operatorCase)

  it('has the values of TensorFlow.js in both executors', async () => {
    const { twin } = operatorCase
    const expected = await onOracle((tf) => twin?.(tf, ...tensorsOf(tf, values)).dataSync())
    const program = engine.createProgram({ outputs: { y } })
    const results = []
    for (const executor of Object.values(executors)) {
      const session = await executor.compile(program)
      results.push((await session.run(feedsOf(program, values))).y)
      await session.close()
    }
    for (const result of results) {
      expect(result?.dtype).toBe(y.dtype)
      expect(result?.shape).toEqual(y.shape)
      if (expected) expectClose(result?.data ?? [], expected, 1e-5)
    }
    expectClose(results[0]?.data ?? [], results[1]?.data ?? [], 1e-5)
  })

  if (operatorCase.forwardOnly) return

  it.each(Object.entries(executors))(
    'has the gradient of finite differences in %s',
    async (_, executor) => {
      const loss = engine.sum(engine.multiply(y, engine.constant(weights, y.shape)))
      const gradients = engine.gradients(loss, xs)
      const outputs = { y, ...Object.fromEntries(gradients.entries()) }
      const program = engine.createProgram({ outputs })
      const session = await executor.compile(program)
      const found = await session.run(feedsOf(program, values))
      const forward = await executor.compile(engine.createProgram({ outputs: { y } }))
      const lossAt = async (changed: readonly engine.Tensor[]) => {
        const run = await forward.run(feedsOf(forward.program, changed))
        return dot(run.y?.data ?? [], weights)
      }
      for (const index of values.keys()) {
        const expected = await differences(values, index, lossAt)
        expectClose(found[index]?.data ?? [], expected, 4e-3)
      }
      await session.close()
      await forward.close()
    },
  )

  it.runIf(operatorCase.twin)('has the gradient of TensorFlow.js', async () => {
    const loss = engine.sum(engine.multiply(y, engine.constant(weights, y.shape)))
    const gradients = engine.gradients(loss, xs)
    const program = engine.createProgram({
      outputs: { y, ...Object.fromEntries(gradients.entries()) },
    })
    const session = await executors.onnxruntime.compile(program)
    const found = await session.run(feedsOf(program, values))
    const expected = await onOracle((tf) => {
      const twin = operatorCase.twin ?? (() => tf.scalar(Number.NaN))
      const weighted = (...xs: TfTensor[]) =>
        tf.sum(tf.mul(twin(tf, ...xs), tf.tensor(weights, [...y.shape])))
      return tf
        .grads(weighted)(tensorsOf(tf, values))
        .map((gradient) => gradient.dataSync())
    })
    expected.forEach((gradient, index) => {
      expectClose(found[index]?.data ?? [], gradient, 1e-5)
    })
    await session.close()
  })
})

function tensorsOf(tf: Tf, values: readonly engine.Tensor[]): TfTensor[] {
  return values.map(({ data, shape }) => tf.tensor(data, [...shape]))
}

/** Operands of seeded values as inputs x0, x1, ...; the weights make a loss of any result. */
function setUp({ title, shapes, range: [low, high] = [-1.5, 1.5], build }: OperatorCase) {
  const random = createRandom(title)
  const draw = (shape: engine.Shape) =>
    Float32Array.from({ length: engine.sizeOf(shape) }, () => low + (high - low) * random.next())
  const values = shapes.map((shape) => engine.tensor(draw(shape), shape))
  const xs = shapes.map((shape, index) => engine.input(`x${index}`, shape))
  const y = build(...xs)
  const weights = Float32Array.from({ length: engine.sizeOf(y.shape) }, () => random.normal())
  return { values, xs, y, weights }
}

function feedsOf(program: engine.Program, values: readonly engine.Tensor[]) {
  const feeds = values.map((value, index) => [`x${index}`, value] as const)
  return Object.fromEntries(feeds.filter(([name]) => program.inputs.has(name)))
}

async function differences(
  values: readonly engine.Tensor[],
  index: number,
  lossAt: (values: readonly engine.Tensor[]) => Promise<number>,
): Promise<number[]> {
  const value = values[index] ?? engine.zeroTensor([])
  const out: number[] = []
  for (const element of value.data.keys()) {
    const moved = (by: number) => {
      const data = Float32Array.from(value.data)
      data[element] = (data[element] ?? 0) + by
      return values.with(index, engine.tensor(data, value.shape))
    }
    const rise = (await lossAt(moved(DIFFERENCE))) - (await lossAt(moved(-DIFFERENCE)))
    out.push(rise / (2 * DIFFERENCE))
  }
  return out
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < b.length; i++) sum += (a[i] ?? Number.NaN) * (b[i] ?? Number.NaN)
  return sum
}

/** Equal to `tolerance`, relative to the larger of 1 and the expected value. */
function expectClose(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number) {
  expect(found.length).toBe(expected.length)
  for (let i = 0; i < expected.length; i++) {
    const [x, y] = [found[i] ?? Number.NaN, expected[i] ?? Number.NaN]
    const error = Math.abs(x - y) / Math.max(1, Math.abs(y))
    expect(error, `element ${i}: ${x}, not ${y}`).toBeLessThan(tolerance)
  }
}
