import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { CotuneError } from '#base'

/** What a contender answers after it ran some steps. */
export interface StepReport {
  readonly secondsPerStep: number
  readonly loss: number
  readonly peakRssBytes: number
  /** Of one large product; only ours measures it. */
  readonly matmulGflops?: number
}

/**
 * A process that takes training steps on demand: it prints a line when it is warm, then for each line `N` on its standard
 * input runs N steps and prints a {@link StepReport} as JSON.
 */
export class Contender {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>
  readonly #name: string

  constructor(name: string, command: string, args: readonly string[]) {
    this.#name = name
    this.#child = spawn(command, args)
    // What a library says while it loads is kept apart from the report.
    this.#child.stderr.resume()
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  async ready(): Promise<void> {
    await this.#nextLine()
  }

  async step(steps: number): Promise<StepReport> {
    this.#child.stdin.write(`${steps}\n`)
    return JSON.parse(await this.#nextLine()) as StepReport
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.stdin.end()
    await exited
  }

  async #nextLine(): Promise<string> {
    for (;;) {
      const { value, done } = await this.#lines.next()
      if (done) {
        throw new CotuneError('BENCH_CONTENDER_DIED', `${this.#name} ended early`, {
          hint: 'Run its script alone to see why: bench/step/.',
        })
      }
      if (value.startsWith('{')) return value
    }
  }
}
