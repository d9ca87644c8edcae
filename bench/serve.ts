import { createInterface } from 'node:readline'
import type { Ready, Report } from './contender.ts'
import { peakMemory } from './peak-memory.ts'

/** The process's side of `Contender`. */
export async function serve(
  ready: Ready,
  work: (units: number) => Promise<Omit<Report, 'peakRssBytes'>>,
): Promise<void> {
  console.log(JSON.stringify(ready))
  for await (const line of createInterface({ input: process.stdin })) {
    const report = await work(Number(line))
    console.log(JSON.stringify({ ...report, peakRssBytes: peakMemory() } satisfies Report))
  }
}

export function secondsSince(start: number): number {
  return (performance.now() - start) / 1_000
}
