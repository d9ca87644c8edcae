import { type BrokenRow, importError, type Row } from '#base'
import { contentId, type Example } from './example.ts'

export interface RowOptions {
  /** For files named in errors. */
  readonly path: string
  /** `instruction`, `input`, `output`, ... to the column that holds it, where the names differ. */
  readonly columns?: Readonly<Record<string, string>>
  /** Of any one text of a row. */
  readonly maxCharacters: number
}

const FIELDS = ['id', 'domain', 'task', 'instruction', 'input', 'output', 'references'] as const
type Columns = Readonly<Record<(typeof FIELDS)[number], string>>

/**
 * The column of each field: the one that is given for it, else the one of its name.
 *
 * @throws CotuneError IMPORT_COLUMN_UNKNOWN
 */
export function checkColumns(given: RowOptions['columns'] = {}): Columns {
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
export function exampleOfRow(
  row: Row | BrokenRow,
  columns: Columns,
  options: RowOptions,
): Example | Error {
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
