/** A bell: whoever waits continues when it is rung. Rung while nobody waits, it lets the next one pass at once. */
export class Wake {
  #rung = false
  #listener: (() => void) | undefined

  ring(): void {
    this.#rung = true
    this.#listener?.()
  }

  /** Resolves when rung, after `ms`, or when aborted, whichever comes first; never rejects. One waits at a time. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted)
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer)
          signal.removeEventListener('abort', done)
          this.#listener = undefined
          resolve()
        }
        // A timer longer than this would fire at once.
        const timer = setTimeout(done, Math.min(ms, 0x7fffffff))
        signal.addEventListener('abort', done)
        this.#listener = done
      })
    this.#rung = false
  }
}
