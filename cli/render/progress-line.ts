import { type Clock, systemClock } from '#base'
import type { Io } from '../io.ts'

const REDRAWN_MS = 100
const LINE_MS = 10_000

/** Says on stderr how far a long job is: on a terminal in one line that is drawn anew, otherwise in a line every ten seconds. */
export class ProgressLine {
  readonly #stderr: Io['stderr']
  readonly #what: string
  readonly #clock: Pick<Clock, 'now'>
  #printedAt: number
  #isDrawn = false

  /** @param what is counted, such as `rows`. */
  constructor({ stderr }: Io, what: string, clock: Pick<Clock, 'now'> = systemClock) {
    this.#stderr = stderr
    this.#what = what
    this.#clock = clock
    // What is done within the first ten seconds needs no line in a log.
    this.#printedAt = stderr.isTTY === true ? Number.NEGATIVE_INFINITY : clock.now()
  }

  update(done: number, total: number): void {
    const isTerminal = this.#stderr.isTTY === true
    const at = this.#clock.now()
    if (at - this.#printedAt < (isTerminal ? REDRAWN_MS : LINE_MS)) return
    this.#printedAt = at
    const line = `${done} of ${total} ${this.#what}`
    this.#stderr.write(isTerminal ? `\r\u001b[K${line}` : `${line}\n`)
    this.#isDrawn = isTerminal
  }

  /** Leaves the drawn line; call it before anything else is printed. */
  end(): void {
    if (this.#isDrawn) this.#stderr.write('\r\u001b[K')
    this.#isDrawn = false
  }
}
