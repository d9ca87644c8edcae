/** Runs tasks, at most `limit` at a time, in order; results in the order of the tasks. The first failure starts no more. */
export async function runLimited<T>(
  tasks: readonly (() => Promise<T>)[],
  limit: number,
): Promise<readonly T[]> {
  const results: T[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < tasks.length) {
      const index = next++
      const task = tasks[index]
      if (task === undefined) return
      try {
        results[index] = await task()
      } catch (error) {
        next = tasks.length
        throw error
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, tasks.length) }, worker))
  return results
}
