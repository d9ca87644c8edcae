import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createRandom, packagePath } from '#base'
import { sizeOf } from '#engine'
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
import type { Told } from './train-and-tell.ts'

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
    await expectWithin('model', settings)
  })

  it.each([
    ['float32', 1],
    ['int8', 2],
  ] as const)('is so with a teacher: %s, temperature %d', async (precision, temperature) => {
    const settings = { ...PLAIN, precision, recompute: 'activations', shape: SHAPE } as const
    const measured = await expectWithin('wide', { ...settings, teacher: teacherAt(temperature) })
    const alone = stepMemory(wide, settings)
    expect(alone.total / measured).toBeLessThan(0.85)
    expect(alone.teaching).toBe(0)
  })

  it.each([
    ['model', false, false],
    ['wide', true, false],
    ['model', true, true],
  ] as const)('is so where all is trained: %s, taught %s, accumulating %s', async (...way) => {
    const [name, isTaught, accumulate] = way
    const teacher = isTaught ? { teacher: teacherAt(1) } : {}
    await expectWithin(name, { ...PLAIN, train: 'full', accumulate, shape: SHAPE, ...teacher })
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

  it('counts every parameter where all are trained, and leaves out what only changes a base', () => {
    const fitWholly = (mutual?: FitMutual) => {
      const asked = { memoryBytes: 64e9, batch: 8, length: 128, rank: RANK }
      return fitStep({ checkpoint, train: 'full', ...asked, ...(mutual ? { mutual } : {}) })
    }
    const alone = fitWholly()
    expect(alone.hasFrozen).toBe(false)
    expect(alone.options.map(({ precision, packWeights }) => [precision, packWeights])).toEqual(
      Array(3).fill(['float32', false]),
    )
    const { weights, trained } = alone.best!.memory
    expect(weights).toBe(0)
    // Values and two moments, as they were and as they will be.
    expect(trained).toBeGreaterThan(6 * parameterBytes(checkpoint))

    const settings = { topK: 32, temperature: 1, gate: 'proxy' } as const
    const both = fitWholly({ ...settings, partner: wide })
    expect(both.hasFrozen).toBe(true)
    expect(both.options.map(({ precision }) => precision)).toEqual(
      fitInto(64e9).options.map(({ precision }) => precision),
    )
    const [packed, mapped] = both.options
    expect(mapped!.memory.weights).toBe(parameterBytes(wide))
    expect(packed!.memory.trained).toBe(mapped!.memory.trained)
    expect(fitWholly(settings).best!.memory.total).toBeLessThan(mapped!.memory.total)
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

function parameterBytes({ model }: OpenCheckpoint): number {
  return [...model.parameters.values()].reduce((sum, shape) => sum + 4 * sizeOf(shape), 0)
}

/** One matrix [rows, vocabulary] of a device's batch. */
function logitBytes({ model }: OpenCheckpoint): number {
  return 4 * 512 * model.config.vocabularySize
}

function teacherAt(temperature: number): TeacherShape {
  return { topK: TOP_K, temperature, gate: true, entries: 4 * TOP_K * SHAPE.rows }
}

/** Holds the estimate against a process; resolves to what that took. */
async function expectWithin(name: 'model' | 'wide', settings: StepSettings): Promise<number> {
  const { total } = stepMemory(name === 'wide' ? wide : checkpoint, settings)
  const measured = await measuredPeak(name, settings)
  expect(total / measured).toBeGreaterThan(0.85)
  expect(total / measured).toBeLessThan(1.15)
  return measured
}

/** VmHWM of a process of its own that trains a few steps, and teaches if it has a teacher. */
async function measuredPeak(name: string, settings: StepSettings): Promise<number> {
  const script = packagePath('test', 'learning', 'fit', 'train-and-tell.ts')
  const told: Told = { ...settings, folder: join(folder, name), cache: join(folder, 'cache') }
  const run = async (each: Told) => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      ...['--import', 'tsx', '--conditions=cotune-source', script, JSON.stringify(each)],
    ])
    return Number(stdout)
  }
  // Preparing a base in blocks takes memory of its own, once.
  if (settings.precision !== 'float32') await run({ ...told, prepares: true })
  return run(told)
}
