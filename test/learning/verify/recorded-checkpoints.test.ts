import { existsSync, readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createExecutor } from '#engine'
import { verifyCheckpoint } from '#learning/verify'
import { hasSharedCheckpoints, REASON, sharedCheckpoint } from '../models/shared-checkpoints.ts'

const executor = createExecutor('onnxruntime', { threads: 1 })

/** All folders that hold a model and a record. */
const recorded = hasSharedCheckpoints
  ? [...readdirSync(sharedCheckpoint()), 'bad/_good', 'bad/_good-sharded', 'bad/proto-key'].filter(
      (name) =>
        existsSync(sharedCheckpoint(name, 'config.json')) &&
        existsSync(sharedCheckpoint(name, 'golden.json')),
    )
  : []

describe.skipIf(!hasSharedCheckpoints)(`as transformers computes it${REASON}`, () => {
  it.each(recorded)('%s', async (name) => {
    const folder = sharedCheckpoint(name)
    const golden = sharedCheckpoint(name, 'golden.json')
    const result = await verifyCheckpoint({ folder, golden, executor })
    const tokenizer = existsSync(sharedCheckpoint(name, 'tokenizer.json'))
    expect(result).toMatchObject({ greedyEqual: true, tokenizerEqual: tokenizer ? true : null })
    expect(result.maxRelativeError).toBeLessThan(1e-4)
    expect(result.rows).toBeGreaterThan(0)
  })

  it('looks at many', () => {
    expect(recorded.length).toBeGreaterThan(20)
  })
})
