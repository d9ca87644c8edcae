/** Runs jobs one after the other, in the order asked for: training and scoring share the same cores and memory. */
export class OneAtATime {
  #last: Promise<unknown> = Promise.resolve()

  /**
   * Runs `job` when those before it have ended.
   * @throws what `job` throws, or the signal's reason when it aborts before its turn
   */
  async run<T>(job: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const turn = this.#last
    const result = turn.then(() => {
      signal?.throwIfAborted()
      return job()
    })
    this.#last = result.catch(() => undefined)
    return result
  }
}
