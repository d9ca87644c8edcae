import { type BrokenRow, importError, isCotuneError, type Row } from '#base'
import { contentId, type Example, isPublic } from './example.ts'
import { checkColumns, exampleOfRow, type RowOptions } from './example-of-row.ts'

export type Use = 'train' | 'evaluation'

export interface CollectOptions extends RowOptions {
  /** What rows are for; `split` holds one in ten out by its digest, whatever else is imported. */
  readonly use: Use | 'split'
  /** Take at most so many rows (with `split`: training rows), the first ones. */
  readonly limit?: number
  /** Only rows of one half (see `isPublic`); rows of the other are passed over silently. */
  readonly only?: 'private' | 'public'
  /** `fail` throws at the first bad row, `skip` lists it. */
  readonly onError: 'fail' | 'skip'
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
  const columns = checkColumns(options.columns)
  const examples: CollectedExample[] = []
  const skipped: SkippedRow[] = []
  const seen = new Set<string>()
  let duplicates = 0
  let taken = 0
  let characters = 0

  for await (const row of rows) {
    const example = exampleOfRow(row, columns, options)
    if (example instanceof Error) {
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

function tooLarge(options: CollectOptions): Error {
  return importError('IMPORT_TOO_LARGE', `${options.path} has more text than one import takes`, {
    hint: 'import it in parts, or raise import.maxTotalCharacters in the configuration',
    data: { path: options.path, limit: options.maxTotalCharacters },
  })
}
