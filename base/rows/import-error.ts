import { CotuneError, type CotuneErrorInit, EXIT } from '../errors.ts'

/** An error about somebody's data: exit code 7 and where in the file it is. Never what the row says. */
export function importError(
  code: string,
  message: string,
  init: Omit<CotuneErrorInit, 'exit'>,
): CotuneError {
  return new CotuneError(code, message, { ...init, exit: EXIT.data })
}
