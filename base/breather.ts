import { setImmediate as nextTurn } from 'node:timers/promises'

/**
 * For long loops on a thread that others wait for: to be awaited often, it lets the event loop have its turn once the loop has gone on
 * for `everyMs`, and costs next to nothing otherwise.
 */
export function createBreather(everyMs = 10): () => Promise<void> {
  let since = performance.now()
  return async () => {
    if (performance.now() - since < everyMs) return
    await nextTurn()
    since = performance.now()
  }
}
