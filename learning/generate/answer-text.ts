import type { Tokenizer } from '#learning/text'

/** What a decoder writes for the bytes of a character that is not whole yet. */
const INCOMPLETE = '\uFFFD'

/**
 * The text of one answer while its tokens come. Held back is what may still change: the bytes of a character that is not whole, and
 * what may become a stop string.
 */
export class AnswerText {
  readonly #tokenizer: Pick<Tokenizer, 'decode'>
  readonly #stops: readonly string[]
  readonly #ids: number[] = []
  /** Ids before the first of these are text already; from it on they are decoded again, since a token's text may depend on the one before. */
  #context = 0
  #taken = 0
  #text = ''
  #shown = 0
  #stopped = false

  constructor(tokenizer: Pick<Tokenizer, 'decode'>, stops: readonly string[]) {
    this.#tokenizer = tokenizer
    this.#stops = stops.filter((stop) => stop !== '')
  }

  /** Whether a stop string has come: nothing of it is shown, and what follows is ignored. */
  get stopped(): boolean {
    return this.#stopped
  }

  /** Everything shown so far. */
  get text(): string {
    return this.#text.slice(0, this.#shown)
  }

  /** Takes a token and returns what can now be shown. */
  push(id: number): string {
    if (this.#stopped) return ''
    this.#ids.push(id)
    const fresh = this.#fresh()
    if (fresh === '' || fresh.endsWith(INCOMPLETE)) return ''
    this.#context = this.#taken
    this.#taken = this.#ids.length
    return this.#add(fresh)
  }

  /** The answer is over: returns what was held back. */
  end(): string {
    if (this.#stopped) return ''
    const shown = this.#shown
    this.#add(this.#fresh())
    if (!this.#stopped) this.#shown = this.#text.length
    return this.#text.slice(shown, this.#shown)
  }

  /** The text that the tokens after the last one taken add. */
  #fresh(): string {
    const before = this.#tokenizer.decode(this.#ids.slice(this.#context, this.#taken))
    return this.#tokenizer.decode(this.#ids.slice(this.#context)).slice(before.length)
  }

  #add(fresh: string): string {
    this.#text += fresh
    const shown = this.#shown
    const stop = firstOf(this.#text, this.#stops, shown)
    this.#stopped = stop !== undefined
    this.#shown = stop ?? this.#text.length - heldBack(this.#text, this.#stops)
    return this.#text.slice(shown, this.#shown)
  }
}

/** Where the first of `stops` begins in `text`, at `from` or later. */
function firstOf(text: string, stops: readonly string[], from: number): number | undefined {
  const found = stops.map((stop) => text.indexOf(stop, from)).filter((at) => at >= 0)
  return found.length === 0 ? undefined : Math.min(...found)
}

/** The length of the longest end of `text` that one of `stops` begins with. */
function heldBack(text: string, stops: readonly string[]): number {
  let longest = 0
  for (const stop of stops)
    for (let length = Math.min(stop.length - 1, text.length); length > longest; length--)
      if (text.endsWith(stop.slice(0, length))) longest = length
  return longest
}
