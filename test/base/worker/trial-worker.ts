import { setTimeout as delay } from 'node:timers/promises'
import { threadId, workerData } from 'node:worker_threads'
import { CotuneError, EXIT, serveWorker, type WorkerContext } from '#base'

/** Everything a worker can be asked to do wrong. */
const methods = {
  where: async () => ({ threadId, data: workerData as unknown, seen: process.env.COTUNE_TRIAL }),
  double: async ({ values }: { values: Float32Array<ArrayBuffer> }) => ({
    values: values.map((value) => 2 * value),
  }),
  sum: async (start: number, { source, emit }: WorkerContext) => {
    let sum = start
    for await (const item of source) {
      sum += item as number
      emit(sum)
    }
    return sum
  },
  refuse: async () => {
    throw new CotuneError('TRIAL_REFUSED', 'no', {
      hint: 'ask again',
      data: { row: 3 },
      exit: EXIT.data,
      cause: new Error('outer', { cause: new RangeError('inner') }),
    })
  },
  fail: async () => {
    throw new TypeError('a mistake')
  },
  untilCancelled: async (_: undefined, { signal, emit }: WorkerContext) => {
    emit('begun')
    while (!signal.aborted) await delay(5)
    throw new Error('cancelled')
  },
  /** Holds its thread until this one has counted to `count`, or for ever: no timer of the worker runs meanwhile. */
  block: async ({ shared, count }: { shared: Int32Array; count: number }) => {
    while (Atomics.load(shared, 0) < count) Atomics.wait(shared, 0, Atomics.load(shared, 0), 1_000)
    return Atomics.load(shared, 0)
  },
  crash: () =>
    new Promise<never>(() => {
      setImmediate(() => {
        throw new Error('out of the blue')
      })
    }),
  exhaust: async () => {
    const held: unknown[] = []
    for (;;) held.push(new Array(10_000).fill({}).map((each) => ({ ...each })))
  },
}
export type TrialMethods = typeof methods

serveWorker(methods)
