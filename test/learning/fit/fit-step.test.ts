import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createRandom, packagePath } from '#base'
import { type FitMutual, fitStep, type StepSettings, stepMemory } from '#learning/fit'
import {
  createModel,
  type HfConfig,
  initialise,
  type OpenCheckpoint,
  openCheckpoint,
  saveCheckpoint,
} from '#learning/models'
import type { TeacherShape } from '#learning/train'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

/** Large enough that a step's memory stands out from the process's, small enough for a few seconds. */
const CONFIG: HfConfig = {
  model_type: 'llama',
  vocab_size: 8192,
  hidden_size: 384,
  intermediate_size: 1024,
  num_hidden_layers: 8,
  num_attention_heads: 6,
  num_key_value_heads: 2,
  tie_word_embeddings: true,
  max_position_embeddings: 512,
}
const SHAPE = { batch: 4, length: 128, rows: 512, examples: 4 }
const RANK = 8

/** Of logits above all: 64 MiB for one [rows, vocabulary]. */
const WIDE_CONFIG: HfConfig = {
  ...CONFIG,
  vocab_size: 32_768,
  hidden_size: 128,
  intermediate_size: 256,
  num_hidden_layers: 2,
  num_attention_heads: 4,
}
const TOP_K = 32
const PLAIN_WAY = { precision: 'float32', recompute: 'none' } as const
const PLAIN = { ...PLAIN_WAY, accumulate: false, rank: RANK } as const

let folder: string
let checkpoint: OpenCheckpoint
let wide: OpenCheckpoint
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cotune-fit-'))
  checkpoint = await randomCheckpoint('model', CONFIG)
  wide = await randomCheckpoint('wide', WIDE_CONFIG)
})
afterAll(() => rm(folder, { recursive: true }))

describe('stepMemory', () => {
  it.each([
    ['float32', 'none', true],
    ['float32', 'none', false],
    ['float32', 'layers', false],
    ['int8', 'activations', false],
    ['int4', 'layers', false],
  ] as const)('is within 15 % of what a process takes: %s, %s, packed %s', async (...way) => {
    const [precision, recompute, packWeights] = way
    const settings = { ...PLAIN, precision, recompute, packWeights, shape: SHAPE }
    const { total } = stepMemory(checkpoint, settings)
    const measured = await measuredPeak('model', settings)
    expect(total / measured).toBeGreaterThan(0.85)
    expect(total / measured).toBeLessThan(1.15)
  })

  it.each([
    ['float32', 1],
    ['int8', 2],
  ] as const)('is so with a teacher: %s, temperature %d', async (precision, temperature) => {
    const teacher = { topK: TOP_K, temperature, gate: true, entries: 4 * TOP_K * SHAPE.rows }
    const settings = { ...PLAIN, precision, recompute: 'activations' } as const
    const { total } = stepMemory(wide, { ...settings, shape: SHAPE, teacher })
    const measured = await measuredPeak('wide', settings, teacher)
    expect(total / measured).toBeGreaterThan(0.85)
    expect(total / measured).toBeLessThan(1.15)
    const alone = stepMemory(wide, { ...settings, shape: SHAPE })
    expect(alone.total / measured).toBeLessThan(0.85)
    expect(alone.teaching).toBe(0)
  })
})

describe('fitStep', () => {
  const fitInto = (memoryBytes: number) =>
    fitStep({ checkpoint, memoryBytes, batch: 8, length: 128, rank: RANK })

  it('takes the most exact base that fits, made to fit in the quickest way', () => {
    const sizes = fitInto(64e9)
    expect(sizes.best).toMatchObject({ ...PLAIN_WAY, packWeights: true, batch: 8 })
    const [packed, none, activations, layers] = sizes.options.map(({ memory }) => memory.total)
    expect(none!).toBeLessThan(packed!)
    expect(activations!).toBeLessThan(none!)
    expect(layers!).toBeLessThan(activations!)
    // A tenth more than the estimate leaves what is held in reserve.
    expect(fitInto(packed!).best).toMatchObject({ ...PLAIN_WAY, packWeights: false })
    expect(fitInto(none!).best).toMatchObject({ precision: 'float32', recompute: 'activations' })
    expect(fitInto(1.1 * layers!).best).toMatchObject({
      precision: 'float32',
      recompute: 'layers',
      batch: 8,
    })
  })

  it('goes on with smaller batches, as many of them as make up a step', () => {
    const layers = fitInto(64e9).options[3]!
    const smaller = fitInto(1.07 * layers.memory.total).best!
    expect(smaller.batch).toBeLessThan(8)
    expect(smaller.batch * smaller.accumulate).toBeGreaterThanOrEqual(8)
    expect(smaller.fits).toBe(true)
  })

  it('counts mutual learning, and the other model where it is given', () => {
    const settings = { topK: 32, temperature: 1, gate: 'proxy' } as const
    const fitWith = (mutual: FitMutual) =>
      fitStep({ checkpoint, memoryBytes: 64e9, batch: 8, length: 128, rank: RANK, mutual })
        .options[0]!.memory
    const quickest = { ...PLAIN, packWeights: true, shape: SHAPE }
    const one = fitWith(settings)
    const tempered = fitWith({ ...settings, temperature: 2 })
    const both = fitWith({ ...settings, partner: wide })
    expect(one.total).toBeGreaterThan(fitInto(64e9).options[0]!.memory.total)
    // Two temperatures are two matrices of logarithms.
    expect(tempered.total - one.total).toBeGreaterThan(logitBytes(checkpoint))
    expect(both.weights).toBe(one.weights + stepMemory(wide, quickest).weights)
    expect(both.total - one.total).toBeGreaterThan(4 * logitBytes(wide))
    // The process is there once.
    expect(both.runtime).toBeLessThan(1.6 * one.runtime)
  })

  it('says that nothing fits', () => {
    const { best, options } = fitInto(1e6)
    expect(best).toBeUndefined()
    expect(options.at(-1)!.batch).toBe(1)
  })
})

async function randomCheckpoint(name: string, config: HfConfig): Promise<OpenCheckpoint> {
  const model = createModel(config)
  const path = join(folder, name)
  await saveCheckpoint(path, { model, weights: initialise(model, createRandom('fit')) })
  return openCheckpoint(path)
}

/** One matrix [rows, vocabulary] of a device's batch. */
function logitBytes({ model }: OpenCheckpoint): number {
  return 4 * 512 * model.config.vocabularySize
}

/** VmHWM of a process of its own that trains a few steps, and teaches if it has a teacher. */
async function measuredPeak(
  name: string,
  {
    precision,
    recompute,
    packWeights = false,
  }: Pick<StepSettings, 'precision' | 'recompute' | 'packWeights'>,
  teacher?: TeacherShape,
): Promise<number> {
  const script = packagePath('test', 'learning', 'fit', 'train-and-tell.ts')
  const run = async (only: string) => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      ...['--import', 'tsx', '--conditions=cotune-source', script],
      ...[join(folder, name), join(folder, 'cache'), precision, recompute],
      ...[packWeights ? 'packed' : 'mapped', only],
      ...(teacher ? [JSON.stringify(teacher)] : []),
    ])
    return Number(stdout)
  }
  // Preparing a base takes memory of its own, once.
  await run('prepare')
  return run('train')
}
