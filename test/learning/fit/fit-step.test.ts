import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createRandom, packagePath } from '#base'
import type { Recompute } from '#engine'
import { fitStep, stepMemory } from '#learning/fit'
import {
  type BasePrecision,
  createModel,
  type HfConfig,
  initialise,
  type OpenCheckpoint,
  openCheckpoint,
  saveCheckpoint,
} from '#learning/models'

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

let folder: string
let checkpoint: OpenCheckpoint
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cotune-fit-'))
  const model = createModel(CONFIG)
  const path = join(folder, 'model')
  await saveCheckpoint(path, { model, weights: initialise(model, createRandom('fit')) })
  checkpoint = await openCheckpoint(path)
})
afterAll(() => rm(folder, { recursive: true }))

describe('stepMemory', () => {
  it.each([
    ['float32', 'none'],
    ['float32', 'layers'],
    ['int8', 'activations'],
    ['int4', 'layers'],
  ] as const)('is within 15 % of what a process takes: %s, %s', async (precision, recompute) => {
    const settings = { precision, recompute, accumulate: false, shape: SHAPE, rank: RANK }
    const { total } = stepMemory(checkpoint, settings)
    const measured = await measuredPeak(precision, recompute)
    expect(total / measured).toBeGreaterThan(0.85)
    expect(total / measured).toBeLessThan(1.15)
  })
})

describe('fitStep', () => {
  const fitInto = (memoryBytes: number) =>
    fitStep({ checkpoint, memoryBytes, batch: 8, length: 128, rank: RANK })

  it('takes the most exact base that fits, made to fit in the quickest way', () => {
    const sizes = fitInto(64e9)
    expect(sizes.best).toMatchObject({ precision: 'float32', recompute: 'none', batch: 8 })
    const [none, activations, layers] = sizes.options.map(({ memory }) => memory.total)
    expect(activations!).toBeLessThan(none!)
    expect(layers!).toBeLessThan(activations!)
    // A tenth more than the estimate leaves what is held in reserve.
    expect(fitInto(1.1 * none!).best).toMatchObject({ recompute: 'none' })
    expect(fitInto(none!).best).toMatchObject({ precision: 'float32', recompute: 'activations' })
    expect(fitInto(1.1 * layers!).best).toMatchObject({
      precision: 'float32',
      recompute: 'layers',
      batch: 8,
    })
  })

  it('goes on with smaller batches, as many of them as make up a step', () => {
    const layers = fitInto(64e9).options[2]!
    const smaller = fitInto(1.07 * layers.memory.total).best!
    expect(smaller.batch).toBeLessThan(8)
    expect(smaller.batch * smaller.accumulate).toBeGreaterThanOrEqual(8)
    expect(smaller.fits).toBe(true)
  })

  it('says that nothing fits', () => {
    const { best, options } = fitInto(1e6)
    expect(best).toBeUndefined()
    expect(options.at(-1)!.batch).toBe(1)
  })
})

/** VmHWM of a process of its own that trains a few steps. */
async function measuredPeak(precision: BasePrecision, recompute: Recompute): Promise<number> {
  const script = packagePath('test', 'learning', 'fit', 'train-and-tell.ts')
  const run = async (only: string) => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      ...['--import', 'tsx', '--conditions=cotune-source', script],
      ...[join(folder, 'model'), join(folder, 'cache'), precision, recompute, only],
    ])
    return Number(stdout)
  }
  // Preparing a base takes memory of its own, once.
  await run('prepare')
  return run('train')
}
