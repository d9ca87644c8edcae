import { basename } from 'node:path'
import { readRows } from '#base'
import { collectExamples, contentId } from '#learning/data'
import type { ImportReport, ImportRequest } from '#protocols/api'
import type { Examples } from './store/examples.ts'

export interface ImportLimits {
  readonly maxCharacters: number
  readonly maxTotalCharacters: number
}

/**
 * Imports rows of a JSONL file, a CSV file or a query on a SQLite file: all or none. Unless they are for evaluation only, the public half
 * of them is taken (see isPublic): the private half belongs to devices and is left out without a word per row.
 *
 * @throws CotuneError `IMPORT_*`, `DATABASE_UNREADABLE`, `DISK_FULL`
 */
export async function importPublicRows(
  examples: Examples,
  request: ImportRequest,
  limits: ImportLimits,
): Promise<ImportReport> {
  const { name, path, query, columns, limit, use = 'split', dryRun = false } = request
  const all = [...(await examples.training()), ...(await examples.heldOut())]
  const known = new Set(all.map(contentId))
  const { duplicates, skipped, ...collected } = await collectExamples(
    readRows({ path, ...(query === undefined ? {} : { query }) }),
    {
      ...limits,
      path,
      ...(columns === undefined ? {} : { columns }),
      ...(limit === undefined ? {} : { limit }),
      ...(use === 'evaluation' ? {} : { only: 'public' }),
      use,
      onError: request.onError ?? 'fail',
      isKnown: (digest) => known.has(digest),
    },
  )
  const rows = collected.examples.map(({ example, use }) => ({
    example,
    heldOut: use === 'evaluation',
  }))
  const source = query === undefined ? basename(path) : `sqlite:${basename(path)}`
  // A row whose id is taken by another is left out too.
  const imported = dryRun || rows.length === 0 ? rows.length : examples.add(name, source, rows)
  return { name, imported, duplicates: duplicates + rows.length - imported, skipped, dryRun }
}
