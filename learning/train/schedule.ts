/** Learning rate as a fraction of the peak, by step. */
export type Schedule = (step: number) => number

/** Linear warm-up over `warmup` steps, then linear decay to `floor` at `total`. */
export function linearSchedule(total: number, warmup: number, floor = 0): Schedule {
  return (step) => {
    if (step < warmup) return Math.min(1, (step + 1) / warmup)
    const left = Math.max(0, total - step) / Math.max(1, total - warmup)
    return floor + (1 - floor) * Math.min(1, left)
  }
}
