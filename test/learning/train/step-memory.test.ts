import { describe, expect, it, vi } from 'vitest'
import { createRandom } from '#base'
import { type Program, peakLiveBytes, type Recompute, type Tensor } from '#engine'
import { encodeExample, type PackedBatch, packExamples } from '#learning/data'
import { createAdapter, toLeaves } from '#learning/lora'
import {
  type BatchShape,
  forwardProgram,
  type Trainee,
  TrainStep,
  trainProgram,
} from '#learning/train'
import { randomModel } from '../models/random-model.ts'
import { TINY } from '../models/tiny-models.ts'
import { bpe, COLOUR_EXAMPLES, executor, tinyConfig } from './toy-models.ts'

vi.setConfig({ testTimeout: 120_000 })

const SHAPE: BatchShape = { batch: 2, length: 64, rows: 48, examples: 6 }
const HALF: BatchShape = { batch: 1, length: 64, rows: 24, examples: 3 }
const encoded = COLOUR_EXAMPLES.map((example) => encodeExample(bpe, example, { maxLength: 48 }))

function adaptedTrainee(config = tinyConfig(bpe.vocabularySize)) {
  const { model, weights } = randomModel(config, 'memory')
  const spec = { rank: 4, alpha: 8, targets: model.linears.map(({ name }) => name) }
  const adapter = createAdapter(model, spec, createRandom('adapter'))
  const trainee: Trainee = {
    model,
    weights,
    base: 'frozen',
    adapters: [{ name: 'own', spec, trained: true }],
  }
  return { trainee, leaves: toLeaves('own', adapter) }
}

const batchesOf = (shape: BatchShape): readonly PackedBatch[] => packExamples(encoded, shape)

function expectEqual(a: ReadonlyMap<string, Tensor>, b: ReadonlyMap<string, Tensor>): void {
  for (const [name, { data }] of a)
    for (const [i, value] of data.entries()) expect(b.get(name)!.data[i]).toBeCloseTo(value, 4)
}

describe('recomputation', () => {
  it.each(Object.entries(TINY))('changes nothing but memory: %s', async (_, config) => {
    const run = async (recompute: Recompute) => {
      const { trainee, leaves } = adaptedTrainee({ ...config, vocab_size: bpe.vocabularySize })
      const step = await TrainStep.create({ trainee, executor, shape: SHAPE, recompute })
      await step.write(leaves)
      let loss = 0
      for (let i = 0; i < 2; i++) loss = (await step.run(batchesOf(SHAPE)[0]!, 1e-2)).loss
      const trained = await step.read()
      await step.close()
      return { loss, trained }
    }
    const kept = await run('none')
    for (const mode of ['activations', 'layers'] as const) {
      const again = await run(mode)
      expect(again.loss).toBeCloseTo(kept.loss, 4)
      expectEqual(kept.trained, again.trained)
    }
  })

  it('keeps less the more is made again, and with layers hardly more for more layers', () => {
    const peak = (recompute: Recompute, layers: number) => {
      const config = { ...TINY.llama, num_hidden_layers: layers, intermediate_size: 64 }
      const { trainee } = adaptedTrainee(config)
      const shape = { batch: 32, length: 64, rows: 16, examples: 1 }
      return peakLiveBytes(trainProgram({ trainee, shape, recompute }).program)
    }
    expect(peak('activations', 8)).toBeLessThan(0.8 * peak('none', 8))
    expect(peak('layers', 8)).toBeLessThan(0.5 * peak('activations', 8))
    const perLayer = (mode: Recompute) => (peak(mode, 16) - peak(mode, 8)) / 8
    expect(perLayer('layers')).toBeLessThan(0.2 * perLayer('none'))
  })
})

describe('a teacher', () => {
  it('takes three matrices of logits at most, and one to teach in turn', () => {
    const { trainee } = adaptedTrainee({ ...TINY.llama, vocab_size: 8_192 })
    const shape = { batch: 2, length: 64, rows: 64, examples: 2 }
    const teacher = { topK: 4, entries: 1_024, temperature: 1, gate: true }
    const matrices = (program: Program) =>
      peakLiveBytes(program) / (4 * shape.rows * trainee.model.config.vocabularySize)
    const step = matrices(trainProgram({ trainee, shape, teacher }).program)
    expect(step).toBeGreaterThan(3)
    expect(step).toBeLessThan(3.3)
    const pass = matrices(forwardProgram({ trainee, shape, teacher }))
    expect(pass).toBeGreaterThan(1)
    expect(pass).toBeLessThan(1.3)
  })
})

describe('accumulation', () => {
  it('takes the step of one batch that holds all', async () => {
    const whole = batchesOf(SHAPE)[0]!
    const parts = batchesOf(HALF).slice(0, 2)
    // What follows compares the same examples.
    expect(parts.flatMap(({ encoded }) => encoded)).toEqual(whole.encoded)
    const tokensOf = ({ rowWeight }: PackedBatch) => rowWeight.reduce((sum, one) => sum + one, 0)

    const { trainee, leaves } = adaptedTrainee()
    const large = await TrainStep.create({ trainee, executor, shape: SHAPE })
    const small = await TrainStep.create({ trainee, executor, shape: HALF, accumulate: true })
    await large.write(leaves)
    await small.write(leaves)
    for (let i = 0; i < 3; i++) {
      const one = await large.run(whole, 1e-2)
      const before = await small.read()
      let loss = 0
      let norm = 0
      for (const [index, part] of parts.entries()) {
        const share = tokensOf(part) / tokensOf(whole)
        const applies = index === parts.length - 1
        const result = await small.run(part, 1e-2, undefined, { share, applies })
        loss += share * result.loss
        norm = result.gradientNorm
        if (!applies) expectEqual(before, await small.read())
      }
      expect(loss).toBeCloseTo(one.loss, 4)
      expect(norm).toBeCloseTo(one.gradientNorm, 3)
    }
    expectEqual(await large.read(), await small.read())
    await large.close()
    await small.close()
  })
})
