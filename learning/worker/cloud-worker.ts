import { workerData } from 'node:worker_threads'
import { serveWorker, type WorkerContext } from '#base'
import {
  type AdapterWeights,
  type CloudTuneInit,
  CloudTuner,
  type CloudTunerInit,
} from '#learning/tuning'
import { ownCopy } from './own-copy.ts'
import { yieldToOthers } from './worker-settings.ts'

/** The thread in which a cloud peer learns and merges. It holds the models; what it has learnt is in what it returns. */

type Unheard<T> = Omit<T, 'onProgress' | 'onToken' | 'signal'>
type AggregateInput = Omit<Parameters<CloudTuner['aggregate']>[0], 'updates'>
type EvaluateInput = Unheard<Parameters<CloudTuner['evaluate']>[0]>
type AnswerInput = Unheard<Parameters<CloudTuner['answer']>[0]>
type Updates = AsyncIterable<{ readonly delta: AdapterWeights; readonly weight: number }>

yieldToOthers()
const loaded = CloudTuner.create(workerData as CloudTunerInit)
// Told to whoever calls, not to the process.
loaded.catch(() => undefined)

const methods = {
  open: async () => {
    const tuner = await loaded
    return { dpmDigest: tuner.dpmDigest, models: tuner.describe(), engine: tuner.engine }
  },
  aggregate: async (input: AggregateInput, { source }: WorkerContext) => {
    const tuner = await loaded
    const merged = await tuner.aggregate({ ...input, updates: source as Updates })
    return { ...merged, shared: ownCopy(merged.shared) }
  },
  tune: async (input: Unheard<CloudTuneInit>, { emit: onProgress, signal }: WorkerContext) => {
    const tuned = await (await loaded).tune({ ...input, onProgress, signal })
    return { ...tuned, state: ownCopy(tuned.state), shared: ownCopy(tuned.shared) }
  },
  evaluate: async (input: EvaluateInput, { emit: onProgress, signal }: WorkerContext) =>
    (await loaded).evaluate({ ...input, onProgress, signal }),
  answer: async (input: AnswerInput, { emit: onToken, signal }: WorkerContext) =>
    (await loaded).answer({ ...input, onToken, signal }),
}
export type CloudMethods = typeof methods

serveWorker(methods)
