import type { Io } from './io.ts'

/** What every command is given. */
export interface CommandContext {
  readonly io: Io
  /** Exit with this code, though nothing was thrown. */
  readonly setExitCode: (exitCode: number) => void
}
