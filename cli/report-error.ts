import { CommanderError } from 'commander'
import { CotuneError, EXIT, type ExitCode, errorMessage } from '#base'
import type { Io } from './io.ts'
import { clean } from './render/clean.ts'
import { renderJson } from './render/json.ts'

/** Prints what went wrong and what to do, as JSON on stdout for a script; returns what to exit with. */
export function reportError(error: unknown, json: boolean, io: Io): ExitCode {
  const known = asCotuneError(error)
  const { code, message, hint, data } = known
  if (json) io.stdout.write(`${renderJson({ error: { code, message, hint, data } })}\n`)
  else io.stderr.write(`cotune: ${clean(message, '\n')}\n  hint: ${clean(hint)}\n  code: ${code}\n`)
  if (io.env.COTUNE_DEBUG) io.stderr.write(`${traceOf(error)}\n`)
  return known.exit
}

function asCotuneError(error: unknown): CotuneError {
  if (error instanceof CotuneError) return error
  if (error instanceof CommanderError) {
    return new CotuneError('CLI_USAGE', error.message.replace(/^error: /, ''), {
      hint: 'add --help for the options and examples',
      exit: EXIT.usage,
    })
  }
  return new CotuneError('CLI_UNEXPECTED', `unexpected failure: ${errorMessage(error)}`, {
    hint: 'COTUNE_DEBUG=1 shows where it happened; please report it',
    cause: error,
  })
}

function traceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : `\ncaused by ${traceOf(error.cause)}`
  return `${error.stack ?? error.message}${cause}`
}
