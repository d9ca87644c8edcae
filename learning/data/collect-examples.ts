import { type BrokenRow, importError, isCotuneError, type Row } from '#base'
import { contentId, type Example, isPublic } from './example.ts'

export type Use = 'train' | 'evaluation'

export interface CollectOptions {
  /** For files named in errors. */
  readonly path: string
  /** `instruction`, `input`, `output`, ... to the column that holds it, where the names differ. */
  readonly columns?: Readonly<Record<string, string>>
  /** What rows are for; `split` holds one in ten out by its digest, whatever else is imported. */
  readonly use: Use | 'split'
  /** Take at most so many rows (with `split`: training rows), the first ones. */
  readonly limit?: number
  /** Only rows of one half (see `isPublic`); rows of the other are passed over silently. */
  readonly only?: 'private' | 'public'
  /** `fail` throws at the first bad row, `skip` lists it. */
  readonly onError: 'fail' | 'skip'
  readonly maxCharacters: number
  /** All texts together, so that an import fits in memory. */
  readonly maxTotalCharacters: number
  /** Whether a content digest (see `contentId`) is stored already. */
  readonly isKnown: (digest: string) => boolean
}

export interface CollectedExample {
  readonly example: Example
  readonly digest: string
  readonly use: Use
}

export interface SkippedRow {
  readonly line: number
  readonly code: string
  readonly message: string
}

export interface CollectedExamples {
  /** In the order of the rows. */
  readonly examples: readonly CollectedExample[]
  readonly duplicates: number
  readonly skipped: readonly SkippedRow[]
}

const HELD_OUT_ONE_IN = 10
const FIELDS = ['id', 'domain', 'task', 'instruction', 'input', 'output', 'references'] as const

/**
 * Checks somebody's rows and makes examples of them. Errors name file and line and never quote the row, which may be private.
 *
 * @throws CotuneError `IMPORT_ROW_NO_ANSWER`, `IMPORT_ROW_NO_QUESTION`, `IMPORT_ROW_TOO_LONG`, `IMPORT_ROW_INVALID`,
 *   `IMPORT_COLUMN_UNKNOWN`, `IMPORT_TOO_LARGE`, and what the source of the rows throws.
 */
export async function collectExamples(
  rows: AsyncIterable<Row | BrokenRow>,
  options: CollectOptions,
): Promise<CollectedExamples> {
  const columns = checkColumns(options)
  const examples: CollectedExample[] = []
  const skipped: SkippedRow[] = []
  const seen = new Set<string>()
  let duplicates = 0
  let taken = 0
  let characters = 0

  for await (const row of rows) {
    const example = readRow(row, columns, options)
    if (!isExample(example)) {
      if (options.onError === 'fail' || !isCotuneError(example)) throw example
      skipped.push({ line: row.line, code: example.code, message: example.message })
      continue
    }
    if (options.only && isPublic(example.id) !== (options.only === 'public')) continue
    const digest = contentId(example)
    if (seen.has(digest) || options.isKnown(digest)) {
      duplicates++
      continue
    }
    seen.add(digest)
    const use = options.use === 'split' ? heldOut(digest) : options.use
    examples.push({ example, digest, use })
    characters += example.instruction.length + example.input.length + example.output.length
    if (characters > options.maxTotalCharacters) throw tooLarge(options)
    if (use === 'train' || options.use === 'evaluation') taken++
    if (taken === options.limit) break
  }
  return { examples, duplicates, skipped }
}

/** Independent of the order and of what else is imported, so that a row once held out stays held out. */
function heldOut(digest: string): Use {
  return Number.parseInt(digest.slice(0, 8), 16) % HELD_OUT_ONE_IN === 0 ? 'evaluation' : 'train'
}

type Columns = Readonly<Record<(typeof FIELDS)[number], string>>

function checkColumns(options: CollectOptions): Columns {
  const given = options.columns ?? {}
  const unknown = Object.keys(given).find((field) => !FIELDS.some((known) => known === field))
  if (unknown !== undefined) {
    throw importError('IMPORT_COLUMN_UNKNOWN', `${unknown} is no field of an example`, {
      hint: `map one of ${FIELDS.join(', ')} to a column of your data`,
      data: { field: unknown },
    })
  }
  const entries = FIELDS.map((field) => [field, given[field] ?? field])
  return Object.fromEntries(entries) as Columns
}

/** The example of a row, or what is wrong with it. */
function readRow(row: Row | BrokenRow, columns: Columns, options: CollectOptions): Example | Error {
  if ('error' in row) return row.error
  const where = `${options.path}:${row.line}`
  const data = { path: options.path, line: row.line }
  const missing = Object.values(options.columns ?? {}).find((column) => !(column in row.columns))
  if (missing !== undefined) {
    return importError('IMPORT_COLUMN_UNKNOWN', `${where}: there is no column ${missing}`, {
      hint: 'column names are case-sensitive; look at the header of the file',
      data: { ...data, column: missing },
    })
  }
  const values = readFields(row, columns)
  if (typeof values === 'string') {
    return importError('IMPORT_ROW_INVALID', `${where}: ${values} is not text`, {
      hint: 'instruction, input and output are text; references is a list of texts',
      data: { ...data, field: values },
    })
  }
  const { instruction = '', input = '', references } = values
  const output = values.output?.trim() ? values.output : references?.find((text) => text.trim())
  if (output === undefined) {
    return importError('IMPORT_ROW_NO_ANSWER', `${where}: the row has no answer`, {
      hint: 'give each row a non-empty output, or pass over such rows with --on-error skip',
      data,
    })
  }
  if (`${instruction}${input}`.trim() === '') {
    return importError('IMPORT_ROW_NO_QUESTION', `${where}: instruction and input are both empty`, {
      hint: 'map your column to input: --columns input=question',
      data,
    })
  }
  const longest = Math.max(
    ...[instruction, input, output, ...(references ?? [])].map((text) => text.length),
  )
  if (longest > options.maxCharacters) {
    return importError(
      'IMPORT_ROW_TOO_LONG',
      `${where}: ${longest} characters; ${options.maxCharacters} are allowed`,
      {
        hint: 'shorten the row, or pass over such rows with --on-error skip',
        data: { ...data, characters: longest, limit: options.maxCharacters },
      },
    )
  }
  const content = { instruction, input, output }
  return {
    id: values.id || contentId(content),
    ...content,
    ...(references?.length ? { references } : {}),
    ...(values.domain ? { domain: values.domain } : {}),
    ...(values.task ? { task: values.task } : {}),
  }
}

interface Fields extends Partial<Record<Exclude<(typeof FIELDS)[number], 'references'>, string>> {
  references?: readonly string[]
}

/** The row's fields as text; the name of the first one that is none. */
function readFields(row: Row, columns: Columns): Fields | string {
  const fields: Fields = {}
  for (const field of FIELDS) {
    const value = row.columns[columns[field]]
    if (value === undefined || value === null || value === '') continue
    if (field === 'references') {
      const list = textList(value)
      if (!list) return field
      fields.references = list
    } else if (typeof value === 'string') fields[field] = value
    else if (typeof value === 'number' || typeof value === 'bigint') fields[field] = String(value)
    else return field
  }
  return fields
}

/** A list of texts, as such or as JSON: CSV and SQLite have no lists. */
function textList(value: unknown): readonly string[] | undefined {
  if (Array.isArray(value))
    return value.every((item) => typeof item === 'string') ? value : undefined
  if (typeof value !== 'string') return undefined
  if (!value.startsWith('[')) return [value]
  try {
    const parsed: unknown = JSON.parse(value)
    return Array.isArray(parsed) ? textList(parsed) : undefined
  } catch {
    return undefined
  }
}

function isExample(value: Example | Error): value is Example {
  return !(value instanceof Error)
}

function tooLarge(options: CollectOptions): Error {
  return importError('IMPORT_TOO_LARGE', `${options.path} has more text than one import takes`, {
    hint: 'import it in parts, or raise import.maxTotalCharacters in the configuration',
    data: { path: options.path, limit: options.maxTotalCharacters },
  })
}
