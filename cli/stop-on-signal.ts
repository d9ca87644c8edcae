import { constants } from 'node:os'
import type { CommandContext } from './command-context.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export interface StopOnSignal {
  /** Aborts at the first signal. */
  readonly signal: AbortSignal
  /** What a process that was ended by the signal it got would exit with; undefined before. */
  readonly exitCode: () => number | undefined
  /** Lets signals do again what they do by default. */
  readonly release: () => void
}

/**
 * Turns SIGINT, SIGTERM and SIGHUP into an abort; the second one ends the process at once, after `onSecond`.
 */
export function stopOnSignal(onSecond: () => void = () => undefined): StopOnSignal {
  const controller = new AbortController()
  let exitCode: number | undefined
  const listener = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      onSecond()
      process.exit(exitCode)
    }
    exitCode = 128 + constants.signals[name]
    controller.abort()
  }
  for (const name of SIGNALS) process.on(name, listener)
  return {
    signal: controller.signal,
    exitCode: () => exitCode,
    release: () => {
      for (const name of SIGNALS) process.off(name, listener)
    },
  }
}

/**
 * What `work` comes to; undefined where a signal stopped it, which is then said, with the exit code of that signal.
 */
export async function untilSignal<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { io, setExitCode }: CommandContext,
): Promise<T | undefined> {
  const stop = stopOnSignal()
  try {
    return await work(stop.signal)
  } catch (error) {
    const exitCode = stop.exitCode()
    if (exitCode === undefined) throw error
    io.stderr.write('stopped\n')
    setExitCode(exitCode)
    return undefined
  } finally {
    stop.release()
  }
}
