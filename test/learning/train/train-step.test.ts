import { describe, expect, it, vi } from 'vitest'
import { createRandom } from '#base'
import type { Tensor } from '#engine'
import type { SparseTargets } from '#learning/align'
import { encodeExample, type PackedBatch, packExamples } from '#learning/data'
import { createAdapter, type LoraSpec, toLeaves } from '#learning/lora'
import { type BatchShape, ForwardPass, TrainStep } from '#learning/train'
import { randomModel } from '../models/random-model.ts'
import {
  bpe,
  COLOUR_EXAMPLES,
  executor,
  type InMemory,
  tinyConfig,
  tinyTrainee,
} from './toy-models.ts'

// Seconds alone on a machine; compiling is slow beside other work.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const SHAPE: BatchShape = { batch: 4, length: 64, rows: 96, examples: 10 }
const SPEC: LoraSpec = {
  rank: 8,
  alpha: 16,
  targets: ['q_proj', 'v_proj', 'o_proj', 'up_proj', 'down_proj'],
}
const encoded = COLOUR_EXAMPLES.map((example) => encodeExample(bpe, example, { maxLength: 48 }))

function onlyBatch(shape: BatchShape): PackedBatch {
  const [batch, ...others] = packExamples(encoded, shape)
  expect(others).toEqual([])
  return batch!
}

async function createStep(trainee: InMemory, shape = SHAPE, more = {}): Promise<TrainStep> {
  const step = await TrainStep.create({ trainee, executor, shape, ...more })
  await step.write(trainee.weights)
  return step
}

/** A base that is not fresh: an adapter can only steer what is there. */
function randomTrainee(seed: string): InMemory {
  const config = tinyConfig(bpe.vocabularySize)
  return { ...randomModel(config, seed), base: 'frozen', adapters: [] }
}

/** An adapter `own` that is trained and one, `other`, that lies on top unchanged. */
function adapted(trainee: InMemory) {
  const values = (name: string) =>
    createAdapter(trainee.model, SPEC, createRandom(`adapter ${name}`))
  return {
    trainee: {
      ...trainee,
      base: 'frozen' as const,
      adapters: [
        { name: 'own', spec: SPEC, trained: true },
        { name: 'other', spec: SPEC, trained: false },
      ],
    },
    leaves: new Map([...toLeaves('own', values('own')), ...toLeaves('other', values('other'))]),
  }
}

const copy = (tensors: ReadonlyMap<string, Tensor>) =>
  new Map([...tensors].map(([name, { data }]) => [name, Array.from(data)]))

describe('TrainStep', () => {
  it('learns a few examples by heart, and starts from the loss of guessing', async () => {
    const step = await createStep(tinyTrainee('heart'))
    const batch = onlyBatch(SHAPE)
    const losses: number[] = []
    for (let i = 0; i < 60; i++) losses.push((await step.run(batch, 1e-2)).loss)
    expect(losses[0]).toBeCloseTo(Math.log(bpe.vocabularySize), 0)
    expect(losses.at(-1)).toBeLessThan(0.05)
    await step.close()
  })

  it('learns with an adapter, and leaves everything else as it was', async () => {
    const { trainee, leaves } = adapted(randomTrainee('adapter'))
    const before = copy(trainee.weights)
    const step = await createStep(trainee)
    await step.write(leaves)
    const batch = onlyBatch(SHAPE)
    const first = await step.run(batch, 2e-2)
    let last = first
    for (let i = 0; i < 60; i++) last = await step.run(batch, 2e-2)
    expect(last.loss).toBeLessThan(0.5)
    const trained = await step.read()
    expect([...trained.keys()].sort()).toEqual(
      [...leaves.keys()].filter((name) => name.startsWith('own/')).sort(),
    )
    for (const [name, values] of copy(trained))
      expect(values, name).not.toEqual([...leaves.get(name)!.data])
    // With its own adapter as it was, the loss is the first again: base and the other adapter have not moved.
    await step.write(toLeaves('own', fromOwn(leaves)))
    expect((await step.run(batch, 0)).loss).toBeCloseTo(first.loss, 5)
    expect(copy(trainee.weights)).toEqual(before)
    await step.close()
  })

  it('sees a packed batch as it sees the same examples in rows of their own', async () => {
    const packed = await stepOnce(onlyBatch(SHAPE), SHAPE)
    const longest = Math.max(...encoded.map(({ tokens }) => tokens.length - 1))
    const apart = { ...SHAPE, batch: encoded.length, length: longest }
    const alone = await stepOnce(onlyBatch(apart), apart)
    expect(new Set(onlyBatch(apart).segments)).toEqual(new Set([0, 1]))
    expect(Math.max(...onlyBatch(SHAPE).segments)).toBeGreaterThan(1)
    expectSameStep(packed, alone)
  })

  it('does not look at padding', async () => {
    const plain = await stepOnce(onlyBatch(SHAPE), SHAPE)
    const roomy = { batch: 5, length: 71, rows: 111, examples: 13 }
    const batch = onlyBatch(roomy)
    const random = createRandom('junk')
    const junk = {
      ...batch,
      tokens: batch.tokens.map((token, i) =>
        batch.segments[i] === 0 ? random.integer(bpe.vocabularySize) : token,
      ),
      targets: batch.targets.map((target, i) =>
        batch.rowWeight[i] === 0 ? random.integer(bpe.vocabularySize) : target,
      ),
    }
    expect(junk.tokens).not.toEqual(batch.tokens)
    expectSameStep(plain, await stepOnce(junk, roomy))
  })

  it('clips, and forgets its moments when told', async () => {
    const trainee = tinyTrainee('moments')
    const batch = onlyBatch(SHAPE)
    const step = await createStep(trainee, SHAPE, { maxGradientNorm: 0.01 })
    expect((await step.run(batch, 1e-3)).gradientNorm).toBeGreaterThan(0.01)
    const once = copy(await step.read())
    await step.run(batch, 1e-3)
    await step.write(trainee.weights)
    await step.resetOptimiser()
    await step.run(batch, 1e-3)
    expect(copy(await step.read())).toEqual(once)
    await step.close()
  })
})

describe('TrainStep with a teacher', () => {
  const TOP_K = 4
  const teacher = { topK: TOP_K, entries: SHAPE.rows * TOP_K, temperature: 2, gate: true }

  /** A teacher of the same tokenizer who has learnt the examples. */
  async function lesson(batch: PackedBatch) {
    const step = await createStep(tinyTrainee('teacher'))
    for (let i = 0; i < 50; i++) await step.run(batch, 1e-2)
    const trainee = { ...tinyTrainee('teacher'), base: 'live' as const }
    const pass = await ForwardPass.create({ trainee, executor, shape: SHAPE, teacher })
    await pass.write(await step.read())
    const said = await pass.run(batch)
    await step.close()
    await pass.close()
    const width = bpe.vocabularySize
    const entries = Array.from({ length: teacher.entries }, (_, entry) => entry)
    const targets: SparseTargets = {
      flatIndex: Int32Array.from(
        entries,
        (entry) => Math.floor(entry / TOP_K) * width + said.topTokens[entry]!,
      ),
      weight: new Float32Array(entries.length).fill(1),
      slot: Int32Array.from(entries),
      teacher: said.topProbabilities,
      tail: Float32Array.from({ length: SHAPE.rows }, (_, row) =>
        said.topProbabilities
          .slice(row * TOP_K, (row + 1) * TOP_K)
          .reduce((rest, p) => rest - p, 1),
      ),
      rowWeight: batch.rowWeight,
      dropped: 0,
    }
    const teacherNatsPerByte = said.exampleNats.map(
      (nats, slot) => nats / Math.max(1, batch.exampleBytes[slot]!),
    )
    return { targets, teacherNatsPerByte }
  }

  it('learns what the teacher says without reading the answers', async () => {
    const batch = onlyBatch(SHAPE)
    const taught = { ...(await lesson(batch)), kdWeight: 1 }
    const step = await createStep(tinyTrainee('pupil'), SHAPE, {
      teacher: { ...teacher, gate: false },
    })
    const first = await step.run(batch, 1e-2, taught)
    expect(first.gateOpen).toBeCloseTo(1)
    expect(first.loss).toBeCloseTo(first.distillation, 5)
    let last = first
    for (let i = 0; i < 50; i++) last = await step.run(batch, 1e-2, taught)
    expect(last.distillation).toBeLessThan(first.distillation / 20)
    expect(last.crossEntropy).toBeLessThan(first.crossEntropy / 10)
    await step.close()
  })

  it('mixes the two losses by weight, and shuts the gate on a teacher who knows less', async () => {
    const batch = onlyBatch(SHAPE)
    const { targets, teacherNatsPerByte } = await lesson(batch)
    const step = await createStep(tinyTrainee('gate'), SHAPE, { teacher })
    const mixed = await step.run(batch, 0, { targets, teacherNatsPerByte, kdWeight: 0.25 })
    expect(mixed.gateOpen).toBeCloseTo(1)
    expect(mixed.distillation).toBeGreaterThan(0)
    expect(mixed.loss).toBeCloseTo(0.75 * mixed.crossEntropy + 0.25 * mixed.distillation, 4)

    const half = teacherNatsPerByte.map((nats, slot) => (slot < 4 ? nats : 1_000))
    const gated = await step.run(batch, 0, { targets, teacherNatsPerByte: half, kdWeight: 0.5 })
    const open = Array.from(batch.rowWeight.keys()).filter(
      (row) => batch.rowWeight[row]! > 0 && batch.rowExample[row]! < 4,
    )
    const supervised = batch.rowWeight.filter((weight) => weight > 0).length
    expect(gated.gateOpen).toBeCloseTo(open.length / supervised, 5)

    const worse = new Float32Array(SHAPE.examples).fill(1_000)
    const shut = await step.run(batch, 0, { targets, teacherNatsPerByte: worse, kdWeight: 1 })
    expect(shut).toMatchObject({ gateOpen: 0, distillation: 0, gradientNorm: 0 })
    await step.close()
  })
})

function fromOwn(leaves: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> {
  return new Map(
    [...leaves]
      .filter(([name]) => name.startsWith('own/'))
      .map(([name, value]) => [name.slice('own/'.length), value]),
  )
}

async function stepOnce(batch: PackedBatch, shape: BatchShape) {
  const step = await createStep(tinyTrainee('once'), shape)
  const result = await step.run(batch, 1e-3)
  const parameters = await step.read()
  await step.close()
  return { result, parameters }
}

type Stepped = Awaited<ReturnType<typeof stepOnce>>

/** Equal but for rounding; Adam's first step is the sign of the gradient, so parameters are compared by what they give. */
function expectSameStep(a: Stepped, b: Stepped): void {
  expect(b.result.loss).toBeCloseTo(a.result.loss, 5)
  expect(b.result.gradientNorm).toBeCloseTo(a.result.gradientNorm, 4)
  for (const [name, { data }] of a.parameters) {
    const other = b.parameters.get(name)!.data
    const moved = Array.from(data, (value, i) => Math.abs(value - other[i]!))
    const mean = moved.reduce((sum, difference) => sum + difference, 0) / moved.length
    expect(mean, name).toBeLessThan(1e-5)
  }
}
