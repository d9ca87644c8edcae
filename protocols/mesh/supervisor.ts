import { type Clock, errorMessage, type Startable } from '#base'

export interface SupervisorComponents {
  readonly clock: Clock
  /** Resolves once connected. */
  readonly dial: (
    peerId: string,
    addresses: readonly string[],
    signal: AbortSignal,
  ) => Promise<void>
  readonly isConnected: (peerId: string) => boolean
}

export interface SupervisorInit {
  readonly minMs: number
  readonly maxMs: number
  readonly onFailure: (peerId: string, attempt: number, reason: string) => void
}

interface Kept {
  addresses: readonly string[]
  readonly stop: AbortController
  /** Ends the pause between two looks. */
  nudge: AbortController
}

/**
 * Keeps connections to chosen peers, for ever. libp2p's own keep-alive gives up after five attempts
 * and then forgets that it should; a device behind a link that is down for a minute would be lost.
 */
export class Supervisor implements Startable {
  readonly #components: SupervisorComponents
  readonly #init: SupervisorInit
  readonly #kept = new Map<string, Kept>()
  readonly #loops = new Set<Promise<void>>()
  #running = false

  constructor(components: SupervisorComponents, init: SupervisorInit) {
    this.#components = components
    this.#init = init
  }

  async start(): Promise<void> {
    if (this.#running) return
    this.#running = true
    for (const [peerId, kept] of this.#kept) this.#spawn(peerId, kept)
  }

  async stop(): Promise<void> {
    this.#running = false
    for (const kept of this.#kept.values()) kept.stop.abort()
    await Promise.all(this.#loops)
    this.#kept.clear()
  }

  keep(peerId: string, addresses: readonly string[]): void {
    const known = this.#kept.get(peerId)
    if (known) {
      known.addresses = addresses
      return
    }
    const kept = { addresses, stop: new AbortController(), nudge: new AbortController() }
    this.#kept.set(peerId, kept)
    if (this.#running) this.#spawn(peerId, kept)
  }

  forget(peerId: string): void {
    this.#kept.get(peerId)?.stop.abort()
    this.#kept.delete(peerId)
  }

  kept(): readonly string[] {
    return [...this.#kept.keys()]
  }

  /** Looks at `peerId` now: its connection may have gone. */
  nudge(peerId: string): void {
    this.#kept.get(peerId)?.nudge.abort()
  }

  #spawn(peerId: string, kept: Kept): void {
    const loop = this.#run(peerId, kept)
      .catch(() => undefined)
      .finally(() => this.#loops.delete(loop))
    this.#loops.add(loop)
  }

  async #run(peerId: string, kept: Kept): Promise<void> {
    const { dial, isConnected } = this.#components
    let attempt = 0
    while (!kept.stop.signal.aborted) {
      if (isConnected(peerId)) {
        attempt = 0
      } else {
        attempt++
        try {
          await dial(peerId, kept.addresses, kept.stop.signal)
          attempt = 0
        } catch (error) {
          if (kept.stop.signal.aborted) return
          this.#init.onFailure(peerId, attempt, errorMessage(error))
        }
      }
      await this.#pause(kept, attempt)
    }
  }

  /** Exponential with +-20 % jitter, so that a fleet does not come back in step after an outage. */
  async #pause(kept: Kept, attempt: number): Promise<void> {
    const { minMs, maxMs } = this.#init
    const base = attempt === 0 ? maxMs : Math.min(maxMs, minMs * 2 ** Math.min(attempt - 1, 20))
    const jittered = base * (0.8 + 0.4 * Math.random())
    kept.nudge = new AbortController()
    const wake = () => kept.nudge.abort()
    kept.stop.signal.addEventListener('abort', wake, { once: true })
    if (kept.stop.signal.aborted) wake()
    await this.#components.clock.sleep(jittered, kept.nudge.signal).catch(() => undefined)
    kept.stop.signal.removeEventListener('abort', wake)
  }
}
