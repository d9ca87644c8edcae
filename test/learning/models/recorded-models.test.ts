import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createExecutor } from '#engine'
import { verifyCheckpoint } from '#learning/verify'
import { RECORDED_MODELS, recordOf, saveRecordedModel } from './recorded/recorded-models.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'recorded-'))
})

afterEach(() => rm(folder, { recursive: true }))

it.each(Object.keys(RECORDED_MODELS))('gives the logits of llama.cpp: %s', async (name) => {
  const checkpoint = join(folder, name)
  await saveRecordedModel(name, checkpoint)
  const executor = createExecutor('onnxruntime', { threads: 1 })
  const verified = await verifyCheckpoint({ folder: checkpoint, golden: recordOf(name), executor })
  expect(verified).toMatchObject({ greedyEqual: true, rows: 4 })
  expect(verified.maxRelativeError).toBeLessThan(1e-4)
})
