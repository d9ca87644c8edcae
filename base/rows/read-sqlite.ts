import BetterSqlite3 from 'better-sqlite3'
import { errorMessage, isCotuneError } from '../errors.ts'
import { storageError } from '../storage-error.ts'
import { importError } from './import-error.ts'
import type { Row } from './row.ts'

/**
 * The rows of a query on somebody's SQLite file, which is opened read-only and never written.
 *
 * @throws CotuneError `DATABASE_UNREADABLE`, `IMPORT_QUERY_FAILED`.
 */
export function* readSqlite(path: string, query: string): Generator<Row> {
  const db = openReadOnly(path)
  try {
    let line = 0
    for (const columns of prepare(db, path, query).iterate()) {
      yield { line: ++line, columns: columns as Record<string, unknown> }
    }
  } catch (error) {
    const typed = storageError(error, path)
    throw isCotuneError(typed) ? typed : queryFailed(path, errorMessage(error))
  } finally {
    db.close()
  }
}

function openReadOnly(path: string): BetterSqlite3.Database {
  let db: BetterSqlite3.Database | undefined
  try {
    db = new BetterSqlite3(path, { readonly: true, fileMustExist: true })
    db.pragma('trusted_schema = OFF')
    db.prepare('SELECT count(*) FROM sqlite_schema').get()
    return db
  } catch (error) {
    db?.close()
    // Whatever is wrong here (no such folder, not a database, no permission) is wrong with the file.
    const code = (error as { code?: unknown }).code
    const typed = typeof code === 'string' ? error : { code: 'SQLITE_CANTOPEN' }
    throw storageError(typed, path)
  }
}

function prepare(db: BetterSqlite3.Database, path: string, query: string): BetterSqlite3.Statement {
  let reason: string
  try {
    const statement = db.prepare(query)
    if (statement.reader && statement.readonly) return statement
    reason = 'it is not a SELECT'
  } catch (error) {
    reason = errorMessage(error)
  }
  throw queryFailed(path, reason)
}

function queryFailed(path: string, reason: string): Error {
  return importError('IMPORT_QUERY_FAILED', `the query on ${path} failed: ${reason}`, {
    hint: 'try it with `sqlite3 FILE "SELECT ..."`; name the columns instruction, input, output or map them',
    data: { path },
  })
}
