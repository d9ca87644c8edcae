import { basename } from 'node:path'
import { readRows } from '#base'
import { collectExamples } from '#learning/data'
import type { DatasetInfo, ImportReport, ImportRequest } from '#protocols/api'
import type { ExampleStore } from './store/example-store.ts'

export interface ImportLimits {
  readonly maxCharacters: number
  readonly maxTotalCharacters: number
}

/**
 * Imports an owner's rows: all of them or, at the first bad one, none; with `onError: 'skip'` bad rows are listed and left out.
 *
 * @throws CotuneError `IMPORT_*`, `DATABASE_UNREADABLE`, `DISK_FULL`
 */
export async function importData(
  examples: ExampleStore,
  request: ImportRequest,
  limits: ImportLimits,
): Promise<{ readonly report: ImportReport; readonly dataset: DatasetInfo | undefined }> {
  const { name, path, query, columns, limit, dryRun = false } = request
  const collected = await collectExamples(
    readRows({ path, ...(query === undefined ? {} : { query }) }),
    {
      ...limits,
      path,
      ...(columns === undefined ? {} : { columns }),
      ...(limit === undefined ? {} : { limit }),
      ...(request.onlyPrivate ? { only: 'private' } : {}),
      use: request.use ?? 'split',
      onError: request.onError ?? 'fail',
      isKnown: (digest) => examples.isKnown(digest),
    },
  )
  const source = query === undefined ? basename(path) : `sqlite:${basename(path)}`
  const dataset = dryRun ? undefined : examples.add(name, source, collected.examples)
  const { duplicates, skipped } = collected
  return {
    report: { name, imported: collected.examples.length, duplicates, skipped, dryRun },
    dataset,
  }
}
