import '../promise-with-resolvers.ts'
import { isMainThread, parentPort } from 'node:worker_threads'
import type { FromWorker, ToWorker, WorkerMethod, WorkerMethods } from './messages.ts'
import { toPlainError } from './plain-error.ts'
import { transferables } from './transferables.ts'

interface Served {
  readonly controller: AbortController
  /** The next item of the caller's source, once it was asked for. */
  awaited?: PromiseWithResolvers<IteratorResult<unknown>>
}

/** Serves a WorkerHost: to be called once, by a worker's entry file. Large arrays in what a method returns move to the host. */
export function serveWorker(methods: WorkerMethods): void {
  const port = parentPort
  if (isMainThread || !port) throw new TypeError('serveWorker is for worker threads')
  const served = new Map<number, Served>()
  const post = (message: FromWorker) => {
    const moved = message.type === 'result' ? [...transferables(message.value)] : []
    port.postMessage(message, moved)
  }

  const serve = async (id: number, method: WorkerMethod, input: unknown): Promise<void> => {
    const call: Served = { controller: new AbortController() }
    served.set(id, call)
    const pull = () => {
      call.awaited = Promise.withResolvers()
      post({ type: 'pull', id })
      return call.awaited.promise
    }
    try {
      const value = await method(input as never, {
        emit: (event) => post({ type: 'event', id, event }),
        source: { [Symbol.asyncIterator]: () => ({ next: pull }) },
        signal: call.controller.signal,
      })
      post({ type: 'result', id, value })
    } catch (error) {
      post({ type: 'error', id, error: toPlainError(error) })
    } finally {
      served.delete(id)
    }
  }

  const cancel = ({ controller, awaited }: Served) => {
    controller.abort()
    awaited?.reject(controller.signal.reason)
  }

  port.on('message', (message: ToWorker) => {
    const { id } = message
    const call = served.get(id)
    if (message.type === 'call') {
      const method = methods[message.method]
      if (!method) throw new TypeError(`the worker has no method ${message.method}`)
      void serve(id, method, message.input)
    } else if (!call) return
    else if (message.type === 'cancel') cancel(call)
    else if ('value' in message) call.awaited?.resolve({ value: message.value })
    else call.awaited?.resolve({ done: true, value: undefined })
  })
}
