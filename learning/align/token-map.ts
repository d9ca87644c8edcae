import { utf8 } from '#base'
import type { Tokenizer } from '#learning/text'

const SPACE = 0x20

/** A tokenizer's vocabulary by what the tokens stand for. */
export class TokenMap {
  readonly #tokenizer: Tokenizer
  readonly #idOf = new Map<string, number>()
  readonly #longest: number
  readonly #putsSpace: boolean
  readonly #atStart: boolean
  /** By id, what the token adds to the text at the place asked for; undefined for special tokens and empty ones. */
  readonly surfaces: readonly (string | undefined)[]

  /**
   * @param width ids below it count, at most the vocabulary's size
   * @param atStart at the start of a text, where a tokenizer that puts a space there spells none of it
   */
  constructor(tokenizer: Tokenizer, width: number, atStart: boolean) {
    this.#tokenizer = tokenizer
    this.#putsSpace = putsSpace(tokenizer)
    this.#atStart = atStart
    const strips = atStart && this.#putsSpace
    const size = Math.min(width, tokenizer.vocabularySize)
    this.surfaces = Array.from({ length: size }, (_, id) => {
      const bytes = tokenizer.tokenBytes(id)
      if (bytes === undefined) return undefined
      const spelled = strips && bytes[0] === SPACE ? bytes.subarray(1) : bytes
      return spelled.length === 0 ? undefined : binary(spelled)
    })
    let longest = 0
    for (const [id, surface] of this.surfaces.entries()) {
      if (surface === undefined) continue
      // Byte tokens come first in a vocabulary, the pieces that a text is spelled with later: those win.
      const bytes = tokenizer.tokenBytes(id)!
      const spelledSo = !strips || bytes[0] === SPACE
      if (spelledSo || !this.#idOf.has(surface)) this.#idOf.set(surface, id)
      longest = Math.max(longest, surface.length)
    }
    this.#longest = longest
  }

  /** The token that stands for exactly these bytes. */
  find(surface: string): number | undefined {
    return this.#idOf.get(surface)
  }

  /** The bytes as the tokenizer would spell them: undefined where it cannot. */
  spell(surface: string): readonly number[] | undefined {
    return this.#encode(surface) ?? this.#longestMatches(surface)
  }

  #encode(surface: string): readonly number[] | undefined {
    const bytes = Buffer.from(surface, 'latin1')
    const text = bytes.toString('utf8')
    if (!bytes.equals(utf8(text))) return undefined
    // The space that it puts before a text is there already, or must not be.
    const hidesSpace = this.#putsSpace && !this.#atStart
    if (hidesSpace && bytes[0] !== SPACE) return undefined
    const { ids } = this.#tokenizer.encode(hidesSpace ? text.slice(1) : text)
    const surfaces = Array.from(ids, (id) => this.surfaces[id])
    return surfaces.join('') === surface ? Array.from(ids) : undefined
  }

  #longestMatches(surface: string): readonly number[] | undefined {
    const ids: number[] = []
    for (let start = 0; start < surface.length; ) {
      let end = Math.min(surface.length, start + this.#longest)
      while (end > start && !this.#idOf.has(surface.slice(start, end))) end--
      if (end === start) return undefined
      ids.push(this.#idOf.get(surface.slice(start, end))!)
      start = end
    }
    return ids
  }
}

/** Whether the tokenizer spells a space before a text that has none. */
function putsSpace(tokenizer: Tokenizer): boolean {
  const first = tokenizer.encode('a').ids[0]
  return first !== undefined && tokenizer.tokenBytes(first)?.[0] === SPACE
}

/** Bytes as a string of one unit each: a key for a map. */
function binary(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
