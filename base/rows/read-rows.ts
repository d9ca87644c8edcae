import { extname } from 'node:path'
import { importError } from './import-error.ts'
import { readCsv } from './read-csv.ts'
import { readJsonl } from './read-jsonl.ts'
import { readSqlite } from './read-sqlite.ts'
import type { BrokenRow, Row, RowSource } from './row.ts'

const MAX_LINE_CHARACTERS = 1_000_000

/**
 * The rows of a JSONL file, a CSV file, or a query on a SQLite file, in their order.
 *
 * @throws CotuneError `IMPORT_UNKNOWN_FORMAT`, `IMPORT_UNREADABLE`, `IMPORT_NOT_UTF8`, `IMPORT_CSV_MALFORMED`,
 *   `IMPORT_QUERY_FAILED`, `DATABASE_UNREADABLE`.
 */
export async function* readRows(source: RowSource): AsyncGenerator<Row | BrokenRow> {
  const { path, query, maxLineCharacters = MAX_LINE_CHARACTERS } = source
  const ending = extname(path).toLowerCase()
  if (query !== undefined) yield* readSqlite(path, query)
  else if (['.jsonl', '.ndjson', '.json'].includes(ending))
    yield* readJsonl(path, maxLineCharacters)
  else if (ending === '.csv') yield* readCsv(path, maxLineCharacters)
  else {
    throw importError('IMPORT_UNKNOWN_FORMAT', `${path}: what kind of file is this?`, {
      hint: 'give a .jsonl or .csv file, or a SQLite file together with --query',
      data: { path },
    })
  }
}
