/**
 * A token bucket a key, for a bounded number of keys: the least recently used is forgotten first.
 */
export class RateLimit {
  readonly #perMs: number
  readonly #burst: number
  readonly #maxKeys: number
  readonly #now: () => number
  readonly #buckets = new Map<string, { tokens: number; at: number }>()

  constructor(init: {
    readonly perMinute: number
    readonly burst: number
    readonly now: () => number
    readonly maxKeys?: number
  }) {
    this.#perMs = init.perMinute / 60_000
    this.#burst = init.burst
    this.#now = init.now
    this.#maxKeys = init.maxKeys ?? 1_000
  }

  /** Takes a token of `key`; false when none is left. */
  take(key: string): boolean {
    const now = this.#now()
    const bucket = this.#buckets.get(key) ?? { tokens: this.#burst, at: now }
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    if (this.#buckets.size > this.#maxKeys) {
      const [oldest] = this.#buckets.keys()
      if (oldest !== undefined) this.#buckets.delete(oldest)
    }
    bucket.tokens = Math.min(
      this.#burst,
      bucket.tokens + Math.max(0, now - bucket.at) * this.#perMs,
    )
    bucket.at = now
    if (bucket.tokens < 1) return false
    bucket.tokens -= 1
    return true
  }
}
