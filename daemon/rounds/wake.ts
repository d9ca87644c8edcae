/** A bell for a loop: a ring while nobody waits is kept for the next wait. */
export class Wake {
  #rung = false
  #ring: (() => void) | undefined

  ring(): void {
    this.#rung = true
    this.#ring?.()
  }

  /** Until the next ring, `ms` have passed or the signal aborts. Never rejects. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, ms)
      this.#ring = resolve
      const onAbort = () => resolve()
      signal.addEventListener('abort', onAbort, { once: true })
      await promise
      // A device waits some thousand times a day on one signal.
      signal.removeEventListener('abort', onAbort)
      clearTimeout(timer)
      this.#ring = undefined
    }
    this.#rung = false
  }
}
