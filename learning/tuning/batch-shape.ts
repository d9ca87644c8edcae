import type { BatchShape } from '#learning/train'
import type { TuningSettings } from './settings.ts'

/** Answers are rarely longer than half of an example, and an example rarely shorter than 12 tokens. */
export function batchShape(settings: Pick<TuningSettings, 'batch' | 'length'>): BatchShape {
  const { batch, length } = settings
  return {
    batch,
    length,
    rows: Math.max(length, Math.ceil((batch * length) / 2)),
    examples: Math.ceil((batch * length) / 12),
  }
}
