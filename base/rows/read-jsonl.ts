import { isObject } from '../is-object.ts'
import { importError } from './import-error.ts'
import { readLines } from './read-lines.ts'
import type { BrokenRow, Row } from './row.ts'

/** One JSON object a line; empty lines are passed over. A broken line does not end the reading. */
export async function* readJsonl(
  path: string,
  maxLineCharacters: number,
): AsyncGenerator<Row | BrokenRow> {
  let line = 0
  for await (const text of readLines(path, maxLineCharacters)) {
    line++
    if (text === undefined) yield { line, error: tooLong(path, line, maxLineCharacters) }
    else if (text.trim() !== '') yield parseLine(path, line, text)
  }
}

function parseLine(path: string, line: number, text: string): Row | BrokenRow {
  let value: unknown
  let cause: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    cause = error
  }
  if (isObject(value)) return { line, columns: value }
  // The parser's message quotes the row, so it stays out of ours.
  const error = importError('IMPORT_JSONL_MALFORMED', `${path}:${line} is not one JSON object`, {
    hint: 'each line is one object: {"instruction": "...", "input": "...", "output": "..."}',
    ...(cause === undefined ? {} : { data: { path, line, reason: 'syntax' } }),
  })
  return { line, error }
}

function tooLong(path: string, line: number, limit: number): Error {
  return importError('IMPORT_ROW_TOO_LONG', `${path}:${line} is longer than ${limit} characters`, {
    hint: 'shorten the row, or pass over such rows with --on-error skip',
    data: { path, line, limit },
  })
}
