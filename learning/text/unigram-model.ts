import { utf8 } from '#base'
import { LibraryModel } from './library.ts'
import { METASPACE } from './token-surface.ts'
import type { UnigramModelFile } from './tokenizer-file.ts'
import { UnigramSegmenter } from './unigram-segmenter.ts'

const CACHE_WORDS = 20_000
const BYTE_TOKEN = /^<0x[0-9A-F]{2}>$/

/**
 * The library's unigram model has no byte fallback and spells each text afresh, character by character. This one writes what no
 * piece covers as byte tokens, where the vocabulary has them, and remembers words.
 */
export class CachedUnigramModel extends LibraryModel {
  readonly #segmenter: UnigramSegmenter
  readonly #splitsWords: boolean
  readonly #hasBytes: boolean
  readonly #cache = new Map<string, readonly string[]>()

  /** @param reserved pieces that text never spells: special tokens */
  constructor(file: UnigramModelFile, reserved: ReadonlySet<string>) {
    super({ ...file, vocab: [] })
    const pieces = file.vocab.map(([piece]) => piece)
    this.vocab = [...pieces]
    this.tokens_to_ids = new Map(pieces.map((piece, id) => [piece, id]))
    this.#hasBytes = file.byte_fallback === true && this.tokens_to_ids.has('<0x00>')
    if (typeof file.unk_id === 'number') {
      this.unk_token_id = file.unk_id
      this.unk_token = pieces[file.unk_id]!
      this.fuse_unk = !this.#hasBytes
    }
    const isReserved = (piece: string) =>
      reserved.has(piece) || (this.#hasBytes && BYTE_TOKEN.test(piece))
    this.#segmenter = new UnigramSegmenter(
      pieces.map((piece) => (isReserved(piece) ? '' : piece)),
      file.vocab.map(([, score]) => score),
    )
    // No piece crosses the start of a word: then words can be spelled one by one.
    this.#splitsWords = pieces.every((piece) => !/[^\u2581]\u2581/.test(piece))
  }

  /** Token strings of the words; what is unknown stands as its own text. */
  override encode(words: readonly string[]): string[] {
    const tokens: string[] = []
    for (const word of words) {
      for (const part of this.#splitsWords ? wordsOf(word) : [word])
        tokens.push(...this.#spell(part))
    }
    return tokens
  }

  #spell(word: string): readonly string[] {
    const known = this.#cache.get(word)
    if (known !== undefined) return known
    let start = 0
    const tokens = this.#segmenter.segment(word).flatMap(({ piece, end }) => {
      const text = word.slice(start, end)
      start = end
      return piece < 0 && this.#hasBytes ? byteTokens(text) : [text]
    })
    if (this.#cache.size >= CACHE_WORDS) this.#cache.clear()
    this.#cache.set(word, tokens)
    return tokens
  }
}

/** Splits before each run of metaspaces that follows something else. */
function wordsOf(text: string): string[] {
  return text.match(new RegExp(`${METASPACE}*[^${METASPACE}]*`, 'gu'))?.filter(Boolean) ?? []
}

function byteTokens(text: string): string[] {
  return Array.from(utf8(text), (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)
}
