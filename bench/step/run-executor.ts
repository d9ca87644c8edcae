import { type ExecutorName, openExecutor } from '#engine'
import { openStep } from './open-step.ts'
import { serveSteps } from './serve-steps.ts'
import type { StepSpec } from './step-spec.ts'

/** A contender: our step in the executor that is named, on what that finds here. */
const spec = JSON.parse(process.argv[2]!) as StepSpec & { readonly executor: ExecutorName }
const { executor, info } = await openExecutor({ ...spec, spin: true })
await serveSteps(await openStep(spec, executor), { version: info.provider })
