import { secondsSince, serve } from '../serve.ts'

/** One training step; resolves to its loss. */
export type Step = () => Promise<number>

/** Warms up, then takes as many steps as are asked for; without `warmUp` none beside these. */
export async function serveSteps(
  step: Step,
  { warmUp = true, version }: { readonly warmUp?: boolean; readonly version?: string } = {},
): Promise<void> {
  const firstLoss = warmUp ? await step() : Number.NaN
  const start = performance.now()
  if (warmUp) await step()
  const ready = { seconds: secondsSince(start), firstLoss, ...(version ? { version } : {}) }
  const work = async (units: number) => {
    let loss = Number.NaN
    const began = performance.now()
    for (let i = 0; i < units; i++) loss = await step()
    return { seconds: secondsSince(began) / units, loss }
  }
  await serve(ready, warmUp ? { wake: step, work } : { work })
}
