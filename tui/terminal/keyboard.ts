import { StringDecoder } from 'node:string_decoder'
import type { Key } from '../state/reduce-ui.ts'
import { ESCAPE_WAIT_MS, KeyDecoder } from './key-decoder.ts'

/** What a Keyboard needs of a terminal; `process.stdin` is one. */
export interface TerminalInput {
  setRawMode(raw: boolean): unknown
  resume(): unknown
  pause(): unknown
  on(event: 'data', listener: (chunk: Buffer | string) => void): unknown
  off(event: 'data', listener: (chunk: Buffer | string) => void): unknown
}

/** Reads keys in raw mode while it is open. */
export class Keyboard {
  readonly #input: TerminalInput
  readonly #onKey: (key: Key) => void
  readonly #decoder = new KeyDecoder()
  readonly #utf8 = new StringDecoder('utf8')
  #timer: NodeJS.Timeout | undefined
  #open = false

  constructor(input: TerminalInput, onKey: (key: Key) => void) {
    this.#input = input
    this.#onKey = onKey
  }

  /** Twice is harmless. */
  open(): void {
    if (this.#open) return
    this.#open = true
    this.#input.setRawMode(true)
    this.#input.on('data', this.#read)
    this.#input.resume()
  }

  /** Gives the input back in its cooked mode. Twice is harmless. */
  close(): void {
    if (!this.#open) return
    this.#open = false
    clearTimeout(this.#timer)
    this.#input.off('data', this.#read)
    this.#input.setRawMode(false)
    this.#input.pause()
  }

  readonly #read = (chunk: Buffer | string): void => {
    clearTimeout(this.#timer)
    const text = typeof chunk === 'string' ? chunk : this.#utf8.write(chunk)
    this.#report(this.#decoder.push(text))
    if (this.#decoder.waits) {
      this.#timer = setTimeout(() => this.#report(this.#decoder.flush()), ESCAPE_WAIT_MS)
    }
  }

  #report(keys: readonly Key[]): void {
    for (const key of keys) {
      // A key may have closed the keyboard; what follows it in the same read was not meant for us.
      if (this.#open) this.#onKey(key)
    }
  }
}
