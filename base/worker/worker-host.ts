import { SHARE_ENV, Worker, type WorkerOptions } from 'node:worker_threads'
import { CotuneError, errorMessage } from '../errors.ts'
import type { FromWorker, ToWorker, WorkerMethods } from './messages.ts'
import { fromPlainError } from './plain-error.ts'
import { transferables } from './transferables.ts'
import type { WorkerEntry } from './worker-entry.ts'

interface WorkerHostInit {
  readonly entry: WorkerEntry
  /** What it does, in words: for errors. */
  readonly name: string
  /** `workerData` of each worker. */
  readonly data?: unknown
  readonly resourceLimits?: WorkerOptions['resourceLimits']
}

interface CallOptions {
  /** Called with whatever the method emits. */
  readonly onEvent?: ((event: never) => void) | undefined
  /** Items that the method fetches, one at a time. */
  readonly source?: AsyncIterable<unknown> | undefined
  readonly signal?: AbortSignal | undefined
}

type Input<M extends WorkerMethods, K extends keyof M> = Parameters<M[K]>[0]
type Result<M extends WorkerMethods, K extends keyof M> = Awaited<ReturnType<M[K]>>

interface Call extends CallOptions {
  readonly resolve: (value: never) => void
  readonly reject: (error: unknown) => void
  readonly items: AsyncIterator<unknown> | undefined
}

/**
 * The methods of a worker thread (`serveWorker`), called from this one. The worker starts with the first call. When it crashes the
 * calls under way fail and the next one starts a new worker, so a method must find all it needs in `data` and its input.
 */
export class WorkerHost<M extends WorkerMethods> {
  readonly #init: WorkerHostInit
  readonly #calls = new Map<number, Call>()
  #worker: Worker | undefined
  #lastId = 0

  constructor(init: WorkerHostInit) {
    this.#init = init
  }

  /**
   * Calls a method. Large arrays anywhere in `input` and in the source's items move to the worker: they are empty here afterwards.
   *
   * @throws WORKER_CRASHED, WORKER_OUT_OF_MEMORY, the signal's reason, what the source throws, else what the method threw
   */
  async call<K extends keyof M & string>(
    method: K,
    input: Input<M, K>,
    options: CallOptions = {},
  ): Promise<Result<M, K>> {
    const { signal, source } = options
    signal?.throwIfAborted()
    const worker = this.#started()
    const id = ++this.#lastId
    const cancel = () => this.#post({ type: 'cancel', id })
    signal?.addEventListener('abort', cancel)
    const items = source?.[Symbol.asyncIterator]()
    try {
      return await new Promise<Result<M, K>>((resolve, reject) => {
        this.#calls.set(id, { ...options, resolve, reject, items })
        worker.ref()
        this.#post({ type: 'call', id, method, input })
      })
    } finally {
      signal?.removeEventListener('abort', cancel)
      this.#calls.delete(id)
      // A worker without work keeps no process alive.
      if (this.#calls.size === 0) this.#worker?.unref()
      await items?.return?.()
    }
  }

  /** Ends the worker, once a native call in it has returned; calls under way fail. */
  async close(): Promise<void> {
    const worker = this.#worker
    this.#ended(worker, this.#crashed('it was closed'))
    await worker?.terminate()
  }

  #started(): Worker {
    if (this.#worker) return this.#worker
    const { entry, data, resourceLimits, name } = this.#init
    const worker = new Worker(entry.url, {
      name,
      workerData: data,
      // ONNX Runtime reads the environment of the process, which a worker otherwise has a copy of.
      env: SHARE_ENV,
      ...entry.options,
      ...(resourceLimits ? { resourceLimits } : {}),
    })
    worker.unref()
    worker.on('message', (message: FromWorker) => void this.#take(message))
    worker.on('error', (error) => this.#ended(worker, this.#crashed(errorMessage(error), error)))
    worker.on('exit', (code) => this.#ended(worker, this.#crashed(`exit code ${code}`)))
    this.#worker = worker
    return worker
  }

  #post(message: ToWorker): void {
    this.#worker?.postMessage(message, [...transferables(message)])
  }

  async #take(message: FromWorker): Promise<void> {
    const { id } = message
    const call = this.#calls.get(id)
    if (!call) return
    try {
      if (message.type === 'result') call.resolve(message.value as never)
      // Whoever cancelled is told why in its own words.
      else if (message.type === 'error')
        call.reject(call.signal?.aborted ? call.signal.reason : fromPlainError(message.error))
      else if (message.type === 'event') call.onEvent?.(message.event as never)
      else this.#post({ type: 'item', id, ...(await nextOf(call)) })
    } catch (error) {
      call.reject(error)
      this.#post({ type: 'cancel', id })
    }
  }

  #ended(worker: Worker | undefined, why: CotuneError): void {
    if (worker !== this.#worker) return
    this.#worker = undefined
    for (const { reject } of this.#calls.values()) reject(why)
  }

  #crashed(text: string, error?: unknown): CotuneError {
    const { name } = this.#init
    if ((error as { readonly code?: unknown })?.code === 'ERR_WORKER_OUT_OF_MEMORY') {
      return new CotuneError('WORKER_OUT_OF_MEMORY', `the worker for ${name} ran out of memory`, {
        hint: 'use a smaller model, batch or length; the next job starts a new worker',
        cause: error,
      })
    }
    return new CotuneError('WORKER_CRASHED', `the worker for ${name} ended: ${text}`, {
      hint: 'the next job starts a new worker; the log holds what it was doing',
      ...(error === undefined ? {} : { cause: error }),
    })
  }
}

async function nextOf({ items }: Call): Promise<{ readonly value?: unknown }> {
  const item = await items?.next()
  return item && !item.done ? { value: item.value } : {}
}
