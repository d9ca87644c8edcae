import type { Contender, Ready, Report } from './contender.ts'

/** What a contender said, round by round. */
export interface Rounds {
  readonly ready: Ready
  readonly reports: readonly Report[]
}

export interface RoundsInit {
  readonly rounds: number
  /** What a contender should work in a round; a slow one takes one unit all the same. */
  readonly secondsEach: number
}

const MOST_UNITS = 64

/**
 * Measures contenders in turns, so that what else the machine does falls on all alike. They are started one after the other and wait
 * asleep while another works.
 */
export async function takeTurns<Name extends string>(
  starts: ReadonlyMap<Name, () => Contender>,
  { rounds, secondsEach }: RoundsInit,
): Promise<ReadonlyMap<Name, Rounds>> {
  const taken = new Map<Name, { contender: Contender; ready: Ready; reports: Report[] }>()
  const started: Contender[] = []
  try {
    for (const [name, start] of starts) {
      const contender = start()
      started.push(contender)
      taken.set(name, { contender, ready: await contender.ready(), reports: [] })
    }
    for (let round = 0; round < rounds; round++)
      for (const { contender, ready, reports } of taken.values()) {
        const units = Math.min(MOST_UNITS, Math.max(1, Math.round(secondsEach / ready.seconds)))
        reports.push(await contender.work(units))
      }
  } finally {
    await Promise.all(started.map((contender) => contender.stop()))
  }
  return taken
}

/** The middle one of the contender's rounds. */
export function medianOf({ reports }: Rounds, value: (report: Report) => number): number {
  return median(reports.map(value))
}

/** How many times as fast `a` was as `b`: the middle one of the rounds, each of which saw both. */
export function speedRatio(
  a: Rounds,
  b: Rounds,
  seconds: (report: Report) => number = (report) => report.seconds,
  secondsOfB = seconds,
): number {
  return median(a.reports.map((report, round) => secondsOfB(b.reports[round]!) / seconds(report)))
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  if (Number.isInteger(middle)) return (sorted[middle - 1]! + sorted[middle]!) / 2
  return sorted[Math.floor(middle)]!
}

/** Three digits: more would pretend. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3))
}
