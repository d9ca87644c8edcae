import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { loadCheckpoint } from '#learning/models'
import { randomCheckpoint } from '../../bench/random-checkpoint.ts'
import { TINY } from '../learning/models/tiny-models.ts'

let cache: string

beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'bench-'))
  vi.stubEnv('COTUNE_BENCH_CACHE', cache)
})

afterEach(() => rm(cache, { recursive: true }))

it('writes a folder that loads: normal weights, norms of one, no biases, the same each time', async () => {
  const folder = await randomCheckpoint('tiny', TINY.qwen2)
  const { weights, model } = await loadCheckpoint(folder)
  expect([...weights.keys()].sort()).toEqual([...model.parameters.keys()].sort())
  expect(new Set(weights.get('model.norm.weight')!.data)).toEqual(new Set([1]))
  expect(new Set(weights.get('model.layers.0.self_attn.q_proj.bias')!.data)).toEqual(new Set([0]))
  const { data } = weights.get('model.layers.1.mlp.up_proj.weight')!
  const deviation = Math.hypot(...data) / Math.sqrt(data.length)
  expect(deviation).toBeGreaterThan(0.015)
  expect(deviation).toBeLessThan(0.025)
  await rm(folder, { recursive: true })
  const again = await loadCheckpoint(await randomCheckpoint('tiny', TINY.qwen2))
  expect(again.weights.get('model.layers.1.mlp.up_proj.weight')!.data).toEqual(data)
})
