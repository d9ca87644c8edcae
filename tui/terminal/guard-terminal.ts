import type { EventEmitter } from 'node:events'

/** What the guard needs of a process; `process` is one. */
export type GuardedProcess = EventEmitter & {
  readonly pid: number
  kill(pid: number, signal: NodeJS.Signals): unknown
}

export interface TerminalGuard {
  /** Gives the terminal back and stops the whole job until it is continued, as Ctrl-Z does where no program reads keys. */
  suspend(): void
  /** Removes the guard's listeners. */
  release(): void
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const RESUME_CHECK_MS = 250

/**
 * Restores the terminal on every way out: exit, a signal, a crash, suspension. `leave` and `enter` must bear to be called twice.
 * After a signal the other listeners decide; if there are none, the signal does what it would have done without us.
 */
export function guardTerminal(init: {
  readonly process: GuardedProcess
  readonly enter: () => void
  readonly leave: () => void
  /** A signal came; the terminal is restored already. */
  readonly onSignal: (signal: NodeJS.Signals) => void
}): TerminalGuard {
  const { process: guarded, enter, leave, onSignal } = init
  let suspended = false
  const resume = () => {
    if (!suspended) return
    suspended = false
    enter()
  }
  const signals = SIGNALS.map((signal) => {
    const listener = () => {
      leave()
      release()
      onSignal(signal)
      if (guarded.listenerCount(signal) === 0) guarded.kill(guarded.pid, signal)
    }
    return [signal, listener] as const
  })
  const listeners: readonly (readonly [event: string, listener: () => void])[] = [
    ...signals,
    ['exit', leave],
    // Runs before Node prints the error, which so lands on the restored screen.
    ['uncaughtExceptionMonitor', leave],
    ['SIGCONT', resume],
  ]
  for (const [event, listener] of listeners) guarded.on(event, listener)

  function release(): void {
    for (const [event, listener] of listeners) guarded.off(event, listener)
  }

  return {
    release,
    suspend: () => {
      leave()
      suspended = true
      // 0 is the process group: the launcher (npx) and the peers of a local mesh stop together with us.
      guarded.kill(0, 'SIGTSTP')
      // A group without a shell cannot be stopped; then we never get SIGCONT.
      setTimeout(resume, RESUME_CHECK_MS).unref()
    },
  }
}
