const WARMUP_STEPS = 5
const FLOOR = 0.05

/** Fraction of the peak learning rate: a short warm-up in each round, and one linear decay over all rounds. */
export function learningRateAt(round: number, rounds: number, step: number, steps: number): number {
  const done = (round - 1 + step / Math.max(1, steps)) / Math.max(1, rounds)
  const decay = FLOOR + (1 - FLOOR) * Math.max(0, 1 - done)
  return decay * Math.min(1, (step + 1) / WARMUP_STEPS)
}
