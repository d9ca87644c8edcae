import { openStep } from './open-step.ts'
import { serveSteps } from './serve-steps.ts'
import type { StepSpec } from './step-spec.ts'

/** A contender: ours. */
const spec = JSON.parse(process.argv[2]!) as StepSpec
await serveSteps(await openStep(spec), { warmUp: spec.text === undefined })
