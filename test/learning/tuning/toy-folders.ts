import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import type { AdapterWeights } from '#learning/tuning'

/** A folder that goes when all tests of the file have ended. */
export function folderOfFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cotune-test-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Weights as plain objects, to compare bit by bit. */
export function plain(weights: AdapterWeights): Record<string, number[]> {
  return Object.fromEntries([...weights].map(([name, { data }]) => [name, Array.from(data)]))
}

/** The largest difference of two sets of tensors of the same names; NaN where the names differ. */
export function largestDifference(a: AdapterWeights, b: AdapterWeights): number {
  if ([...a.keys()].sort().join() !== [...b.keys()].sort().join()) return Number.NaN
  return Math.max(
    ...[...a].map(([name, { data }]) => {
      const other = b.get(name)?.data
      return Math.max(
        ...Array.from(data, (value, i) => Math.abs(value - (other?.[i] ?? Number.NaN))),
      )
    }),
  )
}
