/** Two neighbouring tokens and how often they occur. */
export interface TokenPair {
  readonly left: number
  readonly right: number
  readonly count: number
}

const MAX_TOKENS = 0x10_0000

/**
 * The neighbouring pairs of weighted words, kept up to date while pairs merge: a merge touches only the words that hold the
 * pair. The heap is lazy: an entry whose count is out of date is dropped or put back when it comes up.
 */
export class MergeQueue {
  readonly #words: number[][]
  readonly #weights: readonly number[]
  readonly #counts = new Map<number, number>()
  readonly #wordsWith = new Map<number, Set<number>>()
  readonly #heap: TokenPair[] = []

  /** @param words token ids of each distinct word, which are changed by merges @param weights how often it occurs */
  constructor(words: number[][], weights: readonly number[]) {
    this.#words = words
    this.#weights = weights
    for (let w = 0; w < words.length; w++) this.#count(w, weights[w]!)
    for (const [key, count] of this.#counts) this.#push(key, count)
  }

  /** The most frequent pair; of equals the one with the smaller left, then right token. */
  best(): TokenPair | undefined {
    for (;;) {
      const top = this.#heap[0]
      if (top === undefined) return undefined
      const count = this.#counts.get(top.left * MAX_TOKENS + top.right) ?? 0
      if (count === top.count) return top
      this.#pop()
      if (count > 0) this.#push(top.left * MAX_TOKENS + top.right, count)
    }
  }

  /** Replaces each `left right` by `merged`. */
  merge(left: number, right: number, merged: number): void {
    const key = left * MAX_TOKENS + right
    const grown = new Set<number>()
    for (const w of this.#wordsWith.get(key) ?? []) {
      this.#count(w, -this.#weights[w]!)
      const word = this.#words[w]!
      let kept = 0
      for (let i = 0; i < word.length; i++) {
        const joins = word[i] === left && word[i + 1] === right
        word[kept++] = joins ? merged : word[i]!
        if (joins) i++
      }
      word.length = kept
      for (const pair of this.#count(w, this.#weights[w]!)) grown.add(pair)
    }
    this.#counts.delete(key)
    this.#wordsWith.delete(key)
    // Counts that fell are put right when they come up; those that rose must be seen.
    for (const pair of grown) {
      const isNew = Math.floor(pair / MAX_TOKENS) === merged || pair % MAX_TOKENS === merged
      if (isNew) this.#push(pair, this.#counts.get(pair)!)
    }
  }

  #count(w: number, weight: number): number[] {
    const word = this.#words[w]!
    const pairs: number[] = []
    for (let i = 0; i + 1 < word.length; i++) {
      const key = word[i]! * MAX_TOKENS + word[i + 1]!
      pairs.push(key)
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + weight)
      if (weight < 0) continue
      const holders = this.#wordsWith.get(key)
      if (holders) holders.add(w)
      else this.#wordsWith.set(key, new Set([w]))
    }
    return pairs
  }

  #push(key: number, count: number): void {
    const heap = this.#heap
    heap.push({ left: Math.floor(key / MAX_TOKENS), right: key % MAX_TOKENS, count })
    for (let i = heap.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1
      if (!precedes(heap[i]!, heap[parent]!)) break
      ;[heap[i], heap[parent]] = [heap[parent]!, heap[i]!]
      i = parent
    }
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    heap[0] = last
    for (let i = 0; ; ) {
      let first = i
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < heap.length && precedes(heap[child]!, heap[first]!)) first = child
      }
      if (first === i) return
      ;[heap[i], heap[first]] = [heap[first]!, heap[i]!]
      i = first
    }
  }
}

function precedes(a: TokenPair, b: TokenPair): boolean {
  return (b.count - a.count || a.left - b.left || a.right - b.right) < 0
}
