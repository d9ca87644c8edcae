import { CotuneError, EXIT, isCotuneError } from './errors.ts'

/**
 * What a failed read or write of `path` means to a person: `DISK_FULL` and `DATABASE_UNREADABLE` are told apart,
 * errors with a code of ours and errors that are not about storage come back unchanged.
 */
export function storageError(error: unknown, path: string): unknown {
  if (isCotuneError(error)) return error
  const code = (error as { code?: unknown } | null)?.code
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'SQLITE_FULL') {
    return new CotuneError('DISK_FULL', `no space left to write ${path}`, {
      hint: 'free some space on that disk; nothing was half-written and the work goes on',
      cause: error,
      data: { path },
      exit: EXIT.data,
    })
  }
  if (typeof code === 'string' && /^SQLITE_(NOTADB|CORRUPT|CANTOPEN|IOERR|READONLY)/.test(code)) {
    return new CotuneError(
      'DATABASE_UNREADABLE',
      `${path} cannot be used as a database (${code})`,
      {
        hint: 'check the path and its permissions, or restore it from a backup beside it',
        cause: error,
        data: { path, code },
        exit: EXIT.data,
      },
    )
  }
  return error
}
