import { createInterface } from 'node:readline'

/** One training step; resolves to its loss. */
export type Step = () => Promise<number>

const WARM_UP_STEPS = 3

/** The contender's side of `Contender`: warms up, then runs as many steps as each line on standard input says. */
export async function serveSteps(
  step: Step,
  extra: () => Promise<Readonly<Record<string, number>>> = async () => ({}),
): Promise<void> {
  for (let i = 0; i < WARM_UP_STEPS; i++) await step()
  console.log(JSON.stringify({ ready: true }))
  for await (const line of createInterface({ input: process.stdin })) {
    const steps = Number(line)
    let loss = Number.NaN
    const start = performance.now()
    for (let i = 0; i < steps; i++) loss = await step()
    const secondsPerStep = (performance.now() - start) / 1_000 / steps
    const peakRssBytes = process.resourceUsage().maxRSS * 1_024
    console.log(JSON.stringify({ secondsPerStep, loss, peakRssBytes, ...(await extra()) }))
  }
}
