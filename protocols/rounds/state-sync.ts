import { type Clock, type Startable, systemClock } from '#base'

export interface StateSyncInit {
  /** Asks once. What it throws is told to `onFailure` and tried again. */
  readonly ask: (signal: AbortSignal) => Promise<void>
  readonly onFailure: (error: unknown) => void
  /** Pause between two questions, +-20 %. */
  readonly intervalMs?: number
  readonly clock?: Clock
}

/**
 * Anti-entropy: asks for the state on every `trigger` (a connection has come up) and every 15
 * seconds besides.
 */
export class StateSync implements Startable {
  readonly #init: StateSyncInit
  readonly #clock: Clock
  #stopping: AbortController | undefined
  #nudge = new AbortController()
  #loop: Promise<void> = Promise.resolve()

  constructor(init: StateSyncInit) {
    this.#init = init
    this.#clock = init.clock ?? systemClock
  }

  async start(): Promise<void> {
    if (this.#stopping) return
    this.#stopping = new AbortController()
    this.#loop = this.#run(this.#stopping.signal)
  }

  async stop(): Promise<void> {
    this.#stopping?.abort(new Error('the peer stops'))
    this.#nudge.abort()
    await this.#loop
    this.#stopping = undefined
  }

  /** Asks as soon as the present question, if any, is answered. */
  trigger(): void {
    this.#nudge.abort()
  }

  async #run(signal: AbortSignal): Promise<void> {
    const intervalMs = this.#init.intervalMs ?? 15_000
    while (!signal.aborted) {
      this.#nudge = new AbortController()
      try {
        await this.#init.ask(signal)
      } catch (error) {
        if (!signal.aborted) this.#init.onFailure(error)
      }
      const pauseMs = intervalMs * (0.8 + 0.4 * Math.random())
      await this.#clock.sleep(pauseMs, this.#nudge.signal).catch(() => undefined)
    }
  }
}
