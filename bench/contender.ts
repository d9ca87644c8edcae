import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { CotuneError, packagePath } from '#base'

/** What a contender says when it is warm. */
export interface Ready {
  /** What one unit of work took: how many to ask for in a round follows from it. */
  readonly seconds: number
  /** Loss of the first training step: equal for all that start from the same weights. */
  readonly firstLoss?: number
  readonly version?: string
}

/** What it answers after some units of work (training steps, generations, products). */
export interface Report {
  /** Of one unit, on average. */
  readonly seconds: number
  /** Of the quickest unit, where that is of interest. */
  readonly bestSeconds?: number
  readonly peakRssBytes: number
  readonly loss?: number
  /** Of {@link seconds}, where a generation is timed. */
  readonly prefillSeconds?: number
  /** What a generation gave. */
  readonly tokens?: readonly number[]
}

const STDERR_KEPT = 2_000

/**
 * A process that works on demand: when warm it prints {@link Ready} as JSON on a line, then for each line `N` on its standard
 * input wakes (see `serve`), does N units of work and prints a {@link Report}. Other lines are passed over.
 */
export class Contender {
  readonly name: string
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>
  #stderr = ''

  constructor(name: string, command: string, args: readonly string[]) {
    this.name = name
    this.#child = spawn(command, args)
    this.#child.stderr.on('data', (data: Buffer) => {
      this.#stderr = `${this.#stderr}${data}`.slice(-STDERR_KEPT)
    })
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** A TypeScript file of `bench/` in a Node process of its own, told `spec`. */
  static node(name: string, file: readonly string[], spec: object): Contender {
    const script = packagePath('bench', ...file)
    return new Contender(name, process.execPath, [
      ...process.execArgv,
      script,
      JSON.stringify(spec),
    ])
  }

  async ready(): Promise<Ready> {
    return JSON.parse(await this.#nextLine()) as Ready
  }

  async work(units: number): Promise<Report> {
    this.#child.stdin.write(`${units}\n`)
    return JSON.parse(await this.#nextLine()) as Report
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.stdin.end()
    await exited
  }

  /** @throws CotuneError BENCH_CONTENDER_DIED */
  async #nextLine(): Promise<string> {
    for (;;) {
      const { value, done } = await this.#lines.next()
      if (done) {
        throw new CotuneError('BENCH_CONTENDER_DIED', `${this.name} ended early`, {
          hint: this.#stderr.trim() || 'It said nothing; perhaps it was killed for want of memory.',
        })
      }
      if (value.startsWith('{')) return value
    }
  }
}
