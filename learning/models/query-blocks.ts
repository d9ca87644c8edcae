import { cut } from '#base'

/** Queries of a row, [start, end), and the keys that they can see between them, [firstKey, end). */
export interface QueryBlock {
  readonly start: number
  readonly end: number
  readonly firstKey: number
}

/** Queries that are worth products of their own (docs/decisions/0021). */
const BLOCK = 256

/**
 * Cuts the S queries of a row: a causal model lets the first of them see few keys, so that almost half of all pairs of queries and
 * keys need not be computed, and with a window only those within it.
 */
export function queryBlocks(length: number, window = length): readonly QueryBlock[] {
  return cut(length, BLOCK).map(([start, end]) => {
    return { start, end, firstKey: Math.max(0, start - window + 1) }
  })
}
