/** What was emitted, numbered without gaps from 1, so that a reader can tell when it missed something. */
export interface Numbered<E> {
  readonly sequence: number
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly event: E
}

/** A bounded log of typed events: emit, read back what is still held, subscribe to what comes. */
export class EventLog<E> {
  readonly #capacity: number
  readonly #now: () => number
  readonly #held: Numbered<E>[] = []
  readonly #listeners = new Set<(entry: Numbered<E>) => void>()
  #sequence = 0

  constructor(init: { readonly capacity?: number; readonly now?: () => number } = {}) {
    this.#capacity = init.capacity ?? 2_000
    this.#now = init.now ?? Date.now
  }

  emit(event: E): void {
    const entry = { sequence: ++this.#sequence, at: this.#now(), event }
    this.#held.push(entry)
    if (this.#held.length > this.#capacity) this.#held.shift()
    for (const listener of this.#listeners) listener(entry)
  }

  /** Entries after `sequence` that are still held, oldest first. */
  since(sequence: number): readonly Numbered<E>[] {
    return this.#held.filter((entry) => entry.sequence > sequence)
  }

  /** Calls `listener` for each entry from now on, until the returned function is called. */
  subscribe(listener: (entry: Numbered<E>) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }
}
