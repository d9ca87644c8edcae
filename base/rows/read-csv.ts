import { Readable } from 'node:stream'
import { importError } from './import-error.ts'
import { readText } from './read-lines.ts'
import type { Row } from './row.ts'

interface ParsedRecord {
  readonly record: Record<string, string>
  readonly info: { readonly lines: number }
}

/**
 * Comma-separated values with a header line (RFC 4180). Broken quoting makes every later row doubtful, so it ends the reading.
 *
 * @throws CotuneError `IMPORT_CSV_MALFORMED` with the line, `IMPORT_NOT_UTF8`, `IMPORT_UNREADABLE`.
 */
export async function* readCsv(path: string, maxLineCharacters: number): AsyncGenerator<Row> {
  // Loaded here and not above: few commands read tables.
  const { CsvError, parse } = await import('csv-parse')
  const parser = parse({
    columns: true,
    info: true,
    skip_empty_lines: true,
    record_delimiter: ['\r\n', '\n'],
    max_record_size: maxLineCharacters,
  })
  const source = Readable.from(readText(path))
  source.on('error', (error) => parser.destroy(error))
  try {
    for await (const { record, info } of source.pipe(parser) as AsyncIterable<ParsedRecord>) {
      yield { line: info.lines, columns: record }
    }
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause
    const line = typeof cause.lines === 'number' ? cause.lines : 0
    throw importError('IMPORT_CSV_MALFORMED', `${path}:${line}: ${explain(cause.code)}`, {
      hint: 'a field with quotes, commas or line breaks stands in "...", a quote inside it is doubled',
      data: { path, line, reason: cause.code },
    })
  } finally {
    source.destroy()
  }
}

/** csv-parse's own messages quote the row. */
function explain(code: string): string {
  if (code === 'CSV_QUOTE_NOT_CLOSED') return 'a quoted field is never closed'
  if (code === 'CSV_MAX_RECORD_SIZE') return 'the row is too long; is a quote missing?'
  if (code.includes('QUOTE')) return 'broken quoting'
  if (code.includes('INCONSISTENT') || code.includes('MISMATCH')) {
    return 'the row has another number of fields than the header'
  }
  return 'not well-formed CSV'
}
