import { createInterface } from 'node:readline'
import type { Ready, Report } from './contender.ts'
import { peakMemory } from './peak-memory.ts'

export interface Service {
  /**
   * One unit that does not count, before each round: whoever has slept finds caches and clocks cold. Left out where every unit
   * counts.
   */
  readonly wake?: () => Promise<unknown>
  readonly work: (units: number) => Promise<Omit<Report, 'peakRssBytes'>>
}

/** The process's side of `Contender`. */
export async function serve(ready: Ready, { wake, work }: Service): Promise<void> {
  console.log(JSON.stringify(ready))
  for await (const line of createInterface({ input: process.stdin })) {
    await wake?.()
    const report = await work(Number(line))
    console.log(JSON.stringify({ ...report, peakRssBytes: peakMemory() } satisfies Report))
  }
}

export function secondsSince(start: number): number {
  return (performance.now() - start) / 1_000
}
