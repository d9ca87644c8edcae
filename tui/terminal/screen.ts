import { EventEmitter } from 'node:events'
import { widthOf } from '../drawing/text.ts'

/** What a Screen needs of a terminal; `process.stdout` is one. */
export interface TerminalOutput {
  readonly columns: number
  readonly rows: number
  write(text: string): unknown
  on(event: 'resize', listener: () => void): unknown
  off(event: 'resize', listener: () => void): unknown
}

const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[?2004h\u001b[2J\u001b[H'
const LEAVE = '\u001b[?2026l\u001b[?2004l\u001b[0m\u001b[?7h\u001b[?25h\u001b[?1049l'
const CLEAR = '\u001b[2J\u001b[H'

/**
 * The terminal, owned by us. Ink 6.8 in debug mode writes each frame as plain lines and leaves the cursor alone; we write the
 * lines that changed, by absolute address. Ink's own full-height mode clears the screen at every frame, and its incremental
 * mode is off by one line. Ink believes this is a stream that never changes its size, else it would draw the old frame at the
 * new one first.
 */
export class Screen extends EventEmitter {
  readonly isTTY = true
  readonly #output: TerminalOutput
  readonly #write: (text: string) => unknown
  #shown: readonly string[] = []
  readonly #onResize: () => void
  #entered = false

  constructor(output: TerminalOutput, onResize: () => void) {
    super()
    this.#output = output
    this.#onResize = onResize
    // Bound now: later on the stream's own `write` is captured (see captureOutput).
    this.#write = output.write.bind(output)
  }

  get columns(): number {
    return this.#output.columns || 80
  }

  get rows(): number {
    return this.#output.rows || 24
  }

  /** Switches to the alternate buffer. Twice is harmless. */
  enter(): void {
    if (this.#entered) return
    this.#entered = true
    this.#shown = []
    this.#write(ENTER)
    this.#output.on('resize', this.#resized)
  }

  /** Gives the terminal back as it was. Twice is harmless; synchronous, so that it works while the process exits. */
  leave(): void {
    if (!this.#entered) return
    this.#entered = false
    this.#output.off('resize', this.#resized)
    this.#write(LEAVE)
  }

  /** Draws everything again, after something else wrote on the screen. */
  repaint(): void {
    if (!this.#entered) return
    const lines = this.#shown
    this.#shown = []
    this.#write(CLEAR)
    this.#paint(lines)
  }

  /** Ink's side: one whole frame, or one of the cursor codes that we do not need. */
  write(data: string | Uint8Array, ...rest: readonly unknown[]): boolean {
    const frame = String(data)
    if (frame !== '' && !/^\u001b\[\?25[hl]$/.test(frame)) this.#paint(frame.split('\n'))
    const done = rest.find((item) => typeof item === 'function')
    if (typeof done === 'function') done()
    return true
  }

  readonly #resized = (): void => {
    this.#shown = []
    this.#write(CLEAR)
    this.#onResize()
  }

  #paint(lines: readonly string[]): void {
    if (!this.#entered) return
    const next = lines.slice(0, this.rows)
    let changes = ''
    for (let y = 0; y < Math.max(next.length, this.#shown.length); y += 1) {
      const line = next[y] ?? ''
      if (line === this.#shown[y] || y >= this.rows) continue
      // Erasing to the end after a full line would erase its last cell.
      const erase = widthOf(line) < this.columns ? '\u001b[K' : ''
      changes += `\u001b[${y + 1};1H${line}\u001b[0m${erase}`
    }
    this.#shown = next
    // DEC 2026: terminals that know it show the whole update at once.
    if (changes !== '') this.#write(`\u001b[?2026h${changes}\u001b[?2026l`)
  }
}
