import { clean } from './clean.ts'

/** The beginning of an escape sequence, which the next piece may go on with. */
const UNFINISHED = /\u001b(?:\[[0-9;?]*[ -/]*|\][^\u0007\u001b]*\u001b?)?$/

/** `clean` for text that comes in pieces: they come out as the whole would. */
export class StreamCleaner {
  readonly #keep: string
  #held = ''

  /** `keep` lists control characters to let through. */
  constructor(keep = '') {
    this.#keep = keep
  }

  /** Takes a piece and returns what can now be shown. */
  push(piece: string): string {
    const text = this.#held + piece
    const end = text.search(UNFINISHED)
    this.#held = end < 0 ? '' : text.slice(end)
    return clean(end < 0 ? text : text.slice(0, end), this.#keep)
  }

  /** The text is over: returns what was held back. */
  end(): string {
    const rest = clean(this.#held, this.#keep)
    this.#held = ''
    return rest
  }
}
