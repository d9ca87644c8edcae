import type { Announcement } from './types.ts'

/**
 * Lets each gossiped announcement through once. Gossip forgets after two minutes what it has seen;
 * within the window this remembers, and what is older than the window is not taken from gossip at
 * all (late peers ask on /cotune/state/1).
 */
export class ReplayWindow {
  readonly #windowMs: number
  readonly #maxHeld: number
  readonly #seen = new Map<string, number>()

  constructor(init: { readonly windowMs?: number; readonly maxHeld?: number } = {}) {
    this.#windowMs = init.windowMs ?? 600_000
    this.#maxHeld = init.maxHeld ?? 10_000
  }

  /** @param now the cloud peer's clock as well as it is known, milliseconds since the epoch */
  judge(announcement: Announcement, now: number): 'fresh' | 'seen' | 'stale' {
    if (Math.abs(now - announcement.issuedAt) > this.#windowMs) return 'stale'
    if (this.#seen.has(announcement.id)) return 'seen'
    for (const [id, issuedAt] of this.#seen) {
      if (this.#seen.size < this.#maxHeld && now - issuedAt <= this.#windowMs) break
      this.#seen.delete(id)
    }
    this.#seen.set(announcement.id, announcement.issuedAt)
    return 'fresh'
  }
}
