import { type Clock, systemClock } from '#base'
import type { Io } from '../io.ts'
import { clean } from '../render/clean.ts'
import { formatBytes, formatDuration } from '../render/units.ts'
import type { PullProgress } from './pull-model.ts'

const REDRAWN_MS = 100
const JSON_MS = 1_000
const LINE_MS = 10_000
/** The rate is that of so much of the past. */
const WINDOW_MS = 10_000

export interface ProgressReport extends PullProgress {
  readonly bytesPerSecond: number
  /** Unknown while nothing comes. */
  readonly secondsLeft: number | undefined
}

/**
 * Says on stderr how far a download is: on a terminal in one line that is drawn anew, otherwise in a line now and then, for
 * scripts as JSON.
 */
export class ProgressPrinter {
  readonly #io: Io
  readonly #json: boolean
  readonly #clock: Pick<Clock, 'now'>
  #samples: { readonly at: number; readonly bytes: number }[] = []
  #printedAt = Number.NEGATIVE_INFINITY
  #isDrawn = false

  constructor(io: Io, json: boolean, clock: Pick<Clock, 'now'> = systemClock) {
    this.#io = io
    this.#json = json
    this.#clock = clock
  }

  get #isTerminal(): boolean {
    return !this.#json && this.#io.stderr.isTTY === true
  }

  update(progress: PullProgress): void {
    const at = this.#clock.now()
    const { haveBytes, totalBytes } = progress
    // A file that begins anew has come less far than before: its old samples say nothing.
    if (haveBytes < (this.#samples.at(-1)?.bytes ?? 0)) this.#samples = []
    if (at - (this.#samples.at(-1)?.at ?? Number.NEGATIVE_INFINITY) >= REDRAWN_MS)
      this.#samples.push({ at, bytes: haveBytes })
    this.#samples = this.#samples.filter((sample) => at - sample.at <= WINDOW_MS)
    const every = this.#json ? JSON_MS : this.#isTerminal ? REDRAWN_MS : LINE_MS
    if (at - this.#printedAt < every && haveBytes < totalBytes) return
    this.#printedAt = at
    this.#print({ ...progress, ...this.#speed(at, progress) })
  }

  /** A line of its own, such as why it waits. */
  note(text: string): void {
    this.end()
    if (this.#json) this.#io.stderr.write(`${JSON.stringify({ note: text })}\n`)
    else this.#io.stderr.write(`${clean(text)}\n`)
  }

  /** Leaves the drawn line; call it before anything else is printed. */
  end(): void {
    if (this.#isDrawn) this.#io.stderr.write('\r\u001b[K')
    this.#isDrawn = false
  }

  #speed(at: number, { haveBytes, totalBytes }: PullProgress) {
    const [oldest] = this.#samples
    const ms = at - (oldest?.at ?? at)
    const bytesPerSecond = ms > 0 ? ((haveBytes - (oldest?.bytes ?? 0)) / ms) * 1_000 : 0
    const secondsLeft = bytesPerSecond > 0 ? (totalBytes - haveBytes) / bytesPerSecond : undefined
    return { bytesPerSecond: Math.round(bytesPerSecond), secondsLeft }
  }

  #print(report: ProgressReport): void {
    if (this.#json) {
      this.#io.stderr.write(`${JSON.stringify({ progress: report })}\n`)
      return
    }
    const line = renderProgress(report)
    if (!this.#isTerminal) {
      this.#io.stderr.write(`${line}\n`)
      return
    }
    const columns = this.#io.stderr.columns || 80
    this.#io.stderr.write(`\r\u001b[K${line.slice(0, columns - 1)}`)
    this.#isDrawn = true
  }
}

/** `43 %  117 MiB of 269 MiB  12.3 MiB/s  13 s left  model.safetensors`. */
function renderProgress(report: ProgressReport): string {
  const { file, haveBytes, totalBytes, bytesPerSecond, secondsLeft } = report
  const percent = totalBytes === 0 ? 0 : Math.floor((100 * haveBytes) / totalBytes)
  const left =
    secondsLeft === undefined || secondsLeft === 0
      ? ''
      : `${formatDuration(secondsLeft * 1_000)} left`
  return [
    `${String(percent).padStart(3)} %`,
    `${formatBytes(haveBytes)} of ${formatBytes(totalBytes)}`,
    bytesPerSecond > 0 ? `${formatBytes(bytesPerSecond)}/s` : '',
    left,
    clean(file),
  ]
    .filter((part) => part !== '')
    .join('  ')
}
