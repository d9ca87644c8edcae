import { workerData } from 'node:worker_threads'
import { serveWorker, type WorkerContext } from '#base'
import { DeviceTuner, type DeviceTunerInit, type TuneInit } from '#learning/tuning'
import { ownCopy } from './own-copy.ts'
import { yieldToOthers } from './worker-settings.ts'

/** The thread in which a device learns. It holds the models; what it has learnt is in what it returns. */

type Unheard<T> = Omit<T, 'onProgress' | 'onToken' | 'signal'>
type EvaluateInput = Unheard<Parameters<DeviceTuner['evaluate']>[0]>
type AnswerInput = Unheard<Parameters<DeviceTuner['answer']>[0]>
type BaselineInput = Unheard<Parameters<DeviceTuner['baseline']>[0]>

yieldToOthers()
const loaded = DeviceTuner.create(workerData as DeviceTunerInit)
// Told to whoever calls, not to the process.
loaded.catch(() => undefined)

const methods = {
  open: async () => {
    const tuner = await loaded
    return { dpmDigest: tuner.dpmDigest, models: tuner.describe(), engine: tuner.engine }
  },
  tune: async (input: Unheard<TuneInit>, { emit: onProgress, signal }: WorkerContext) => {
    const result = await (await loaded).tune({ ...input, onProgress, signal })
    const { slm, domain } = result.state
    return {
      ...result,
      state: { slm: ownCopy(slm), domain: ownCopy(domain) },
      delta: ownCopy(result.delta),
    }
  },
  baseline: async (input: BaselineInput, { emit: onProgress, signal }: WorkerContext) => {
    const { state, slmSteps } = await (await loaded).baseline({ ...input, onProgress, signal })
    return { state: { slm: ownCopy(state.slm), domain: ownCopy(state.domain) }, slmSteps }
  },
  evaluate: async (input: EvaluateInput, { emit: onProgress, signal }: WorkerContext) =>
    (await loaded).evaluate({ ...input, onProgress, signal }),
  answer: async (input: AnswerInput, { emit: onToken, signal }: WorkerContext) =>
    (await loaded).answer({ ...input, onToken, signal }),
}
export type DeviceMethods = typeof methods

serveWorker(methods)
