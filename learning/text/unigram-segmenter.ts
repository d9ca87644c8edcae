import { PieceTrie } from './piece-trie.ts'

/** A piece of the vocabulary by its index, or -1 for a character that no piece covers, and the end in UTF-16 units. */
export interface Segment {
  readonly piece: number
  readonly end: number
}

/** Below the worst piece, so that a piece is taken wherever there is one (SentencePiece's kUnkPenalty). */
const UNKNOWN_PENALTY = 10

/** The most probable way to spell a text with the pieces of a unigram vocabulary (Kudo 2018), by Viterbi. */
export class UnigramSegmenter {
  readonly #trie: PieceTrie
  readonly #scores: readonly number[]
  readonly #unknownScore: number

  /** @param pieces empty strings are never used @param scores log probabilities, by piece */
  constructor(pieces: readonly string[], scores: readonly number[]) {
    this.#trie = new PieceTrie(pieces)
    this.#scores = scores
    this.#unknownScore =
      scores.reduce((least, score) => Math.min(least, score), 0) - UNKNOWN_PENALTY
  }

  /** Of equal spellings, the one with the longer piece at its end. `without` leaves out one piece. */
  segment(text: string, without = -1): Segment[] {
    const length = text.length
    const best = new Float64Array(length + 1).fill(Number.NEGATIVE_INFINITY)
    const from = new Int32Array(length + 1)
    const by = new Int32Array(length + 1)
    best[0] = 0
    const reach = (start: number, end: number, piece: number, score: number) => {
      if (best[start]! + score <= best[end]!) return
      best[end] = best[start]! + score
      from[end] = start
      by[end] = piece
    }
    for (let start = 0; start < length; start++) {
      if (best[start] === Number.NEGATIVE_INFINITY) continue
      const single = start + (text.codePointAt(start)! > 0xffff ? 2 : 1)
      let covered = false
      let node = 0
      for (let end = start; end < length; ) {
        node = this.#trie.step(node, text.charCodeAt(end++))
        if (node < 0) break
        const piece = this.#trie.pieceAt(node)
        if (piece < 0 || piece === without) continue
        covered ||= end === single
        reach(start, end, piece, this.#scores[piece]!)
      }
      if (!covered) reach(start, single, -1, this.#unknownScore)
    }
    const segments: Segment[] = []
    for (let end = length; end > 0; end = from[end]!) segments.push({ piece: by[end]!, end })
    return segments.reverse()
  }
}
