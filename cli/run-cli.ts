import { CommanderError } from 'commander'
import { EXIT } from '#base'
import type { Io } from './io.ts'
import { createCli } from './program.ts'
import { reportError } from './report-error.ts'

/** Runs one command line; returns the exit code and never throws. */
export async function runCli(argv: readonly string[], io: Io): Promise<number> {
  const outcome = { exitCode: EXIT.ok as number }
  const cli = createCli(io, (exitCode) => {
    outcome.exitCode = exitCode
  })
  try {
    await cli.parseAsync([...argv], { from: 'user' })
    return outcome.exitCode
  } catch (error) {
    // Help and version come as "errors" of exit code 0, already printed.
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok
    // `cotune` or `cotune data` alone: commander has printed the help on stderr.
    if (error instanceof CommanderError && error.code === 'commander.help') return EXIT.usage
    return reportError(error, argv.includes('--json'), io)
  }
}
