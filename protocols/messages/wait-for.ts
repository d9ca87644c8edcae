import { CotuneError } from '#base'

export interface WaitOptions {
  readonly timeoutMs: number
  /** What is waited for, for the error: "a frame". */
  readonly what: string
  readonly signal?: AbortSignal | undefined
}

/**
 * A wait that always ends: done, failed, timed out or aborted. `subscribe` returns how to
 * unsubscribe. A plain timer and not `AbortSignal.any`, whose composite signals Node 20 keeps alive
 * for long.
 * @throws PROTOCOL_TIMEOUT, or the signal's reason
 */
export async function waitFor(
  subscribe: (done: () => void, fail: (error: unknown) => void) => () => void,
  options: WaitOptions,
): Promise<void> {
  const { timeoutMs, what, signal } = options
  signal?.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const timer = setTimeout(() => reject(timedOut(what, timeoutMs)), timeoutMs)
  const onAbort = () => reject(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  const unsubscribe = subscribe(resolve, reject)
  try {
    await promise
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
    unsubscribe()
  }
}

function timedOut(what: string, timeoutMs: number): CotuneError {
  return new CotuneError('PROTOCOL_TIMEOUT', `Waited ${timeoutMs} ms for ${what}.`, {
    hint: 'The peer or the link is too slow or gone; the exchange is tried again by itself.',
    data: { timeoutMs },
  })
}
