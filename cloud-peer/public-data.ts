import { createReadStream } from 'node:fs'
import { basename } from 'node:path'
import { createInterface } from 'node:readline'
import { CotuneError, EXIT, isCotuneError, sha256, storageError } from '#base'
import { type Example, isPublic, parseExample } from '#learning/data'
import type { ImportReport, ImportRequest } from '#protocols/api'
import type { Examples, StoredExample } from './store/examples.ts'

/** Longer rows are a mistake in the file, not examples. */
const MAX_ROW_CHARS = 50_000
/** As many faults are listed by line; all are counted by their absence among the imported. */
const MAX_LISTED = 100

type Skipped = ImportReport['skipped'][number]

/**
 * Imports public rows of a JSONL file. Of rows to train on only the public half is taken (see isPublic): the private half belongs to
 * devices and is left out without a word per row. Rows for evaluation are taken whole. Nothing is kept of a file that fails.
 *
 * @throws CotuneError DATA_UNREADABLE, DATA_LINE_MALFORMED, DATA_ROW_NO_ANSWER, DATA_ROW_TOO_LONG, DATA_NOT_JSONL
 */
export async function importPublicRows(
  examples: Examples,
  request: ImportRequest,
): Promise<ImportReport> {
  if (request.query !== undefined || !/\.(jsonl|ndjson)$/.test(request.path))
    throw notJsonl(request)
  const rows = new Map<string, StoredExample>()
  const skipped: Skipped[] = []
  let duplicates = 0
  let training = 0
  for await (const { line, text } of readLines(request.path)) {
    const example = tryParse(text, `${request.path}:${line}`, line, request, skipped)
    if (!example) continue
    const heldOut = isHeldOut(example, request.use ?? 'split')
    if (!heldOut && !isPublic(example.id)) continue
    if (!heldOut && request.limit !== undefined && training >= request.limit) continue
    if (rows.has(example.id) || examples.has(example.id)) {
      duplicates++
      continue
    }
    if (!heldOut) training++
    rows.set(example.id, { example, heldOut })
  }
  const dryRun = request.dryRun ?? false
  if (!dryRun && rows.size > 0)
    examples.add(request.name, basename(request.path), [...rows.values()])
  return { name: request.name, imported: rows.size, duplicates, skipped, dryRun }
}

async function* readLines(path: string): AsyncGenerator<{ line: number; text: string }> {
  let line = 0
  try {
    const lines = createInterface({ input: createReadStream(path, 'utf8'), crlfDelay: Infinity })
    for await (const text of lines) {
      line++
      if (text.trim() !== '') yield { line, text }
    }
  } catch (cause) {
    const error = storageError(cause, path)
    if (isCotuneError(error)) throw error
    throw new CotuneError('DATA_UNREADABLE', `cannot read ${path}`, {
      hint: 'Check that the file exists and that the cloud peer may read it.',
      cause,
      data: { path },
      exit: EXIT.data,
    })
  }
}

function tryParse(
  text: string,
  where: string,
  line: number,
  { onError }: ImportRequest,
  skipped: Skipped[],
): Example | undefined {
  try {
    if (text.length > MAX_ROW_CHARS) throw tooLong(where, text.length)
    return parseExample(text, where)
  } catch (error) {
    if (onError !== 'skip' || !isCotuneError(error)) throw error
    if (skipped.length < MAX_LISTED)
      skipped.push({ line, code: error.code, message: error.message })
    return undefined
  }
}

/** A tenth is held out by digest, so that the same row is on the same side in every import. */
function isHeldOut({ id }: Example, use: NonNullable<ImportRequest['use']>): boolean {
  if (use !== 'split') return use === 'evaluation'
  return sha256('split\0', id)[0]! < 26
}

function notJsonl({ path }: ImportRequest): CotuneError {
  return new CotuneError('DATA_NOT_JSONL', `${path} is not a .jsonl file`, {
    hint: 'A cloud peer imports public rows from JSONL; databases and CSV files belong to devices.',
    data: { path },
    exit: EXIT.usage,
  })
}

function tooLong(where: string, chars: number): CotuneError {
  return new CotuneError('DATA_ROW_TOO_LONG', `${where}: the row has ${chars} characters`, {
    hint: `Rows have at most ${MAX_ROW_CHARS}; split the text or drop the row (--on-error skip).`,
    data: { where, chars },
    exit: EXIT.data,
  })
}
