import type { BatchShape } from '#learning/train'
import type { TuningSettings } from './settings.ts'

const WARMUP_STEPS = 5
const FLOOR = 0.05

/** Fraction of the peak learning rate: a short warm-up in each round, and one linear decay over all rounds. */
export function learningRateAt(round: number, rounds: number, step: number, steps: number): number {
  const done = (round - 1 + step / Math.max(1, steps)) / Math.max(1, rounds)
  const decay = FLOOR + (1 - FLOOR) * Math.max(0, 1 - done)
  return decay * Math.min(1, (step + 1) / WARMUP_STEPS)
}

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
