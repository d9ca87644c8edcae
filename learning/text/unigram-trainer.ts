import { PieceTrie } from './piece-trie.ts'
import { UnigramSegmenter } from './unigram-segmenter.ts'

const MAX_PIECE_LENGTH = 16
const SEEDS_PER_PIECE = 10
const MIN_SEED_COUNT = 3
const EM_STEPS = 2
const KEPT_BY_PRUNING = 0.75
/** EM with pruning stops this far above the wanted size; the rest goes by score. */
const FINAL_SLACK = 1.1
/** Longer words (rules of dashes, base64) teach nothing and would underflow. */
const MAX_WORD_LENGTH = 48

/** What may stand in one piece: letters, or marks, never both; spaces only at its start. */
const ONE_SCRIPT = /^\u2581*(?:[\p{L}\p{M}]*|[^\p{L}\p{M}\u2581]*)$/u

interface Vocabulary {
  readonly pieces: string[]
  /** Natural logarithms of probabilities. */
  readonly scores: number[]
}

/**
 * Fits a unigram vocabulary to words with counts: seeds are the frequent substrings, EM weighs them, and those whose loss
 * hurts the likelihood least are pruned. After SentencePiece's `unigram_model_trainer.cc`.
 */
export class UnigramTrainer {
  readonly #words: readonly (readonly [word: string, count: number])[]
  /** Characters that keep a piece of their own, with their counts. */
  readonly #required: ReadonlyMap<string, number>

  /** @param words with counts @param characterCoverage share of the characters that get a piece */
  constructor(words: ReadonlyMap<string, number>, characterCoverage: number) {
    this.#words = [...words].filter(([word]) => word.length <= MAX_WORD_LENGTH)
    this.#required = coveringCharacters(this.#words, characterCoverage)
  }

  /** At most `size` pieces with their scores, most probable first. */
  train(size: number): [piece: string, score: number][] {
    let vocabulary = this.#seeds(size * SEEDS_PER_PIECE)
    for (;;) {
      for (let step = 0; step < EM_STEPS; step++) vocabulary = this.#expectAndMaximize(vocabulary)
      if (vocabulary.pieces.length <= Math.ceil(size * FINAL_SLACK)) break
      const pruned = this.#prune(vocabulary, Math.ceil(size * FINAL_SLACK))
      if (pruned.pieces.length === vocabulary.pieces.length) break
      vocabulary = pruned
    }
    return this.#finish(vocabulary, size)
  }

  #seeds(limit: number): Vocabulary {
    const counts = new Map<string, number>()
    for (const [word, count] of this.#words) {
      if (count < MIN_SEED_COUNT && this.#words.length > 20_000) continue
      const characters = Array.from(word)
      for (let start = 0; start < characters.length; start++) {
        let piece = characters[start]!
        const longest = Math.min(characters.length, start + MAX_PIECE_LENGTH)
        for (let end = start + 1; end < longest; end++) {
          piece += characters[end]
          counts.set(piece, (counts.get(piece) ?? 0) + count)
        }
      }
    }
    const best = [...counts]
      .filter(([piece, count]) => count >= MIN_SEED_COUNT && this.#isSeed(piece))
      .map(([piece, count]): [string, number] => [piece, count * piece.length])
      .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
      .slice(0, limit)
    const seeds = [...this.#required, ...best]
    return fromCounts(seeds)
  }

  #isSeed(piece: string): boolean {
    if (!ONE_SCRIPT.test(piece)) return false
    for (const character of piece) if (!this.#required.has(character)) return false
    return true
  }

  #expectAndMaximize({ pieces, scores }: Vocabulary): Vocabulary {
    const expected = this.#expectedCounts(pieces, scores)
    const kept: [string, number][] = []
    for (let i = 0; i < pieces.length; i++) {
      const required = this.#required.has(pieces[i]!)
      if (expected[i]! >= 0.5 || required) kept.push([pieces[i]!, Math.max(expected[i]!, 0.5)])
    }
    // The variational step of SentencePiece: digamma instead of the logarithm favours fewer pieces.
    const total = digamma(kept.reduce((sum, [, count]) => sum + count, 0))
    return {
      pieces: kept.map(([piece]) => piece),
      scores: kept.map(([, count]) => digamma(count) - total),
    }
  }

  /** How often each piece is used, over all spellings of all words: forward and backward sums. */
  #expectedCounts(pieces: readonly string[], scores: readonly number[]): Float64Array {
    const trie = new PieceTrie(pieces)
    const probabilities = Float64Array.from(scores, Math.exp)
    const expected = new Float64Array(pieces.length)
    const forward = new Float64Array(MAX_WORD_LENGTH + 1)
    const backward = new Float64Array(MAX_WORD_LENGTH + 1)
    const arcs: number[] = []
    for (const [word, count] of this.#words) {
      const length = word.length
      forward.fill(0, 0, length + 1)
      backward.fill(0, 0, length + 1)
      forward[0] = 1
      backward[length] = 1
      arcs.length = 0
      for (let start = 0; start < length; start++) {
        if (forward[start] === 0) continue
        let node = 0
        for (let end = start; end < length; ) {
          node = trie.step(node, word.charCodeAt(end++))
          if (node < 0) break
          const piece = trie.pieceAt(node)
          if (piece < 0) continue
          forward[end] = forward[end]! + forward[start]! * probabilities[piece]!
          arcs.push(start, end, piece)
        }
      }
      const total = forward[length]!
      // A word with a character outside the vocabulary cannot be spelled.
      if (total === 0) continue
      for (let i = arcs.length - 3; i >= 0; i -= 3) {
        const start = arcs[i]!
        const end = arcs[i + 1]!
        const piece = arcs[i + 2]!
        const through = probabilities[piece]! * backward[end]!
        backward[start] = backward[start]! + through
        expected[piece] = expected[piece]! + (count * forward[start]! * through) / total
      }
    }
    return expected
  }

  /** Keeps three quarters, or `least`: those without which the words would become least probable. */
  #prune({ pieces, scores }: Vocabulary, least: number): Vocabulary {
    const segmenter = new UnigramSegmenter(pieces, scores)
    const used = new Float64Array(pieces.length)
    for (const [word, count] of this.#words) {
      for (const { piece } of segmenter.segment(word)) {
        if (piece >= 0) used[piece] = used[piece]! + count
      }
    }
    const total = used.reduce((sum, count) => sum + count, 0)
    const losses = pieces.map((piece, index) => {
      if (this.#required.has(piece)) return Number.POSITIVE_INFINITY
      const count = used[index]!
      if (count === 0) return 0
      const instead = segmenter.segment(piece, index).map((segment) => segment.piece)
      if (instead.includes(-1)) return Number.POSITIVE_INFINITY
      const totalWithout = total + count * (instead.length - 1)
      const spelled = instead.reduce(
        (sum, i) => sum + Math.log((used[i]! + count) / totalWithout),
        0,
      )
      return (count / total) * (Math.log(count / total) - spelled)
    })
    const size = Math.max(least, Math.floor(pieces.length * KEPT_BY_PRUNING))
    const kept = pieces
      .map((_, index) => index)
      .sort((a, b) => losses[b]! - losses[a]! || a - b)
      .slice(0, size)
      .sort((a, b) => a - b)
    return { pieces: kept.map((i) => pieces[i]!), scores: kept.map((i) => scores[i]!) }
  }

  #finish({ pieces, scores }: Vocabulary, size: number): [string, number][] {
    const all = pieces.map((piece, i): [string, number] => [piece, scores[i]!])
    const byScore = (a: [string, number], b: [string, number]) =>
      b[1] - a[1] || (a[0] < b[0] ? -1 : 1)
    const required = all.filter(([piece]) => this.#required.has(piece)).sort(byScore)
    const others = all.filter(([piece]) => !this.#required.has(piece)).sort(byScore)
    const kept = [...required, ...others].slice(0, size)
    return kept.sort(byScore)
  }
}

/** The most frequent characters that together make up `coverage` of the text. */
function coveringCharacters(
  words: readonly (readonly [string, number])[],
  coverage: number,
): Map<string, number> {
  const counts = new Map<string, number>()
  for (const [word, count] of words) {
    for (const character of word) counts.set(character, (counts.get(character) ?? 0) + count)
  }
  const byCount = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
  const total = byCount.reduce((sum, [, count]) => sum + count, 0)
  const covering = new Map<string, number>()
  let covered = 0
  for (const [character, count] of byCount) {
    if (covered >= coverage * total) break
    covering.set(character, count)
    covered += count
  }
  return covering
}

function fromCounts(counts: readonly (readonly [string, number])[]): Vocabulary {
  const total = Math.log(counts.reduce((sum, [, count]) => sum + count, 0))
  return {
    pieces: counts.map(([piece]) => piece),
    scores: counts.map(([, count]) => Math.log(count) - total),
  }
}

/** The derivative of the logarithm of the gamma function: recurrence, then its asymptotic series. */
function digamma(x: number): number {
  let result = 0
  let y = x
  for (; y < 7; y++) result -= 1 / y
  y -= 0.5
  const z = 1 / (y * y)
  return result + Math.log(y) + z * (1 / 24 - z * (7 / 960 - z * (31 / 8064 - (z * 127) / 30720)))
}
