import { WorkerHost, workerEntry } from '#base'
import type { CloudMethods } from './cloud-worker.ts'
import type { DeviceMethods } from './device-worker.ts'
import { RESOURCE_LIMITS } from './worker-settings.ts'

/** The workers of this folder, by the names of their files. */
interface LearningWorkers {
  readonly 'cloud-worker': CloudMethods
  readonly 'device-worker': DeviceMethods
}

/** The host of a worker thread in which a tuner learns; the thread starts with the first call. */
export function learningHost<Name extends keyof LearningWorkers>(
  name: Name,
  data: unknown,
): WorkerHost<LearningWorkers[Name]> {
  return new WorkerHost<LearningWorkers[Name]>({
    entry: workerEntry(name, import.meta.url),
    name: 'learning',
    data,
    resourceLimits: RESOURCE_LIMITS,
  })
}
