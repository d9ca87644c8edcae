import type { Executor, Session } from '#engine'
import { executor } from '../train/toy-models.ts'

interface CountingInit {
  /** Refuses to compile from then on. */
  readonly compiles?: number
  /** What a session does otherwise. */
  readonly session?: Partial<Session>
}

/** An executor that knows how many of its sessions are open, and fails where it is told to. */
export function countingExecutor({ compiles = Infinity, session = {} }: CountingInit = {}) {
  let compiled = 0
  let open = 0
  const counting: Executor = {
    name: executor.name,
    compile: async (program, init) => {
      if (compiled === compiles) throw new Error('no room for another session')
      const inner = await executor.compile(program, init)
      compiled++
      open++
      const close = async () => {
        open--
        await inner.close()
      }
      return { ...inner, ...session, close }
    },
  }
  return { executor: counting, compiled: () => compiled, open: () => open }
}
