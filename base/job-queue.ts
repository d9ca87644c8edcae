import { CotuneError, EXIT } from './errors.ts'
import type { Startable } from './lifecycle.ts'

export type Job<T> = (signal: AbortSignal) => Promise<T>

/**
 * Heavy work, one job at a time in the order asked for: training, evaluation and answers share the same cores and models.
 * A caller's abort takes its job out of the queue or interrupts it; `stop` interrupts what runs and waits for it to end.
 */
export class JobQueue implements Startable {
  #tail: Promise<unknown> = Promise.resolve()
  #stopped = new AbortController()
  #running: string | undefined
  #waiting = 0

  /** The name of the job that runs, if any. */
  get running(): string | undefined {
    return this.#running
  }

  /** Jobs that wait behind it. */
  get waiting(): number {
    return this.#waiting
  }

  async start(): Promise<void> {
    if (this.#stopped.signal.aborted) this.#stopped = new AbortController()
  }

  /** @throws CotuneError `JOB_STOPPED` when the queue stops first; the signal's reason; else what the job threw. */
  run<T>(name: string, job: Job<T>, signal?: AbortSignal): Promise<T> {
    const stopped = this.#stopped.signal
    const either = signal ? AbortSignal.any([stopped, signal]) : stopped
    this.#waiting++
    const result = this.#tail.then(async () => {
      this.#waiting--
      either.throwIfAborted()
      this.#running = name
      try {
        return await job(either)
      } finally {
        this.#running = undefined
      }
    })
    this.#tail = result.catch(() => undefined)
    return result
  }

  async stop(): Promise<void> {
    this.#stopped.abort(
      new CotuneError('JOB_STOPPED', 'the peer is stopping; the work was interrupted', {
        hint: 'start it again: rounds go on where they were, other jobs have to be asked for anew',
        exit: EXIT.unhealthy,
      }),
    )
    await this.#tail
  }
}
