import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { loadCheckpoint } from '#learning/models'
import { forward, largestDifference } from './forward.ts'
import { hasSharedCheckpoints, REASON, sharedCheckpoint } from './shared-checkpoints.ts'

interface Golden {
  readonly input_ids: readonly (readonly number[])[]
  readonly positions: readonly (readonly number[])[]
  readonly logits: readonly (readonly (readonly number[])[])[]
}

const CHECKPOINTS = [
  'gpt2',
  'llama',
  'llama-bf16',
  'llama-mixed',
  'llama-sharded',
  'llama-rope-linear',
  'llama3-rope',
  'mistral',
  'gpt_neox',
  'opt',
  'bloom',
  'phi',
  'gemma2',
  'qwen2',
  'qwen2-bf16',
  'stories260K',
  'stories260K-bf16',
  'stories260K-f16',
  'babyllama105',
]

describe.skipIf(!hasSharedCheckpoints)(`logits equal those of transformers${REASON}`, () => {
  it.each(CHECKPOINTS)('%s', async (name) => {
    const folder = sharedCheckpoint(name)
    const golden = JSON.parse(readFileSync(`${folder}/golden.json`, 'utf8')) as Golden
    const checkpoint = await loadCheckpoint(folder)
    expect(checkpoint.warnings).toEqual([])
    for (const [b, ids] of golden.input_ids.entries()) {
      const [rows] = await forward({ ...checkpoint, tokens: [ids] })
      for (const [i, position] of golden.positions[b]!.entries()) {
        const recorded = golden.logits[b]![i]!
        const scale = Math.max(1, ...recorded.map(Math.abs))
        expect(largestDifference(rows![position]!, recorded)).toBeLessThan(1e-4 * scale)
      }
    }
  })
})
