import {
  add,
  concat,
  constant,
  equal,
  matmul,
  multiply,
  type Node,
  reshape,
  scalar,
  slice,
  softmax,
  subtract,
  transpose,
} from '#engine'
import type { HiddenInputs } from './causal-model.ts'

/** Added to a score that must not count: exp of it is 0, and a row in which all are hidden still has no NaN. */
const HIDDEN_SCORE = -1e9

/** What the layers share: additive masks over the new tokens' own columns and over the cache's. */
export interface AttentionMask {
  /** [1 or B, 1, S, S]. */
  readonly own: Node
  /** [B, 1, 1, T]. */
  readonly cached?: Node
}

/** The mask of one forward pass: causal, within segments, filled columns of the cache. */
export function attentionMask({ tokens, segments, cache }: HiddenInputs): AttentionMask {
  const [batch, length] = tokens.shape as [number, number]
  const causal = causalMask(length)
  if (cache !== undefined) {
    const columns = cache.filled.shape[1]!
    const cached = hideWhereZero(reshape(cache.filled, [batch, 1, 1, columns]))
    return { own: causal, cached }
  }
  if (segments === undefined) return { own: causal }
  const rows = reshape(segments, [batch, 1, length, 1])
  const columns = reshape(segments, [batch, 1, 1, length])
  // Padding is a segment as well (0): it sees itself, which keeps its softmax finite.
  return { own: add(hideWhereZero(equal(rows, columns)), causal) }
}

/** Queries, keys and values of S new tokens, [B, heads or keyValueHeads, S, headSize]. */
export interface AttentionHeads {
  readonly queries: Node
  readonly keys: Node
  readonly values: Node
  /** [B, keyValueHeads, T, headSize]. */
  readonly cachedKeys?: Node | undefined
  readonly cachedValues?: Node | undefined
}

/**
 * Scaled dot-product attention of grouped queries (Ainslie et al. 2023): [B, H, S, D] -> [B * S, H * D].
 *
 * Query heads of a group lie next to each other, so a group becomes more rows of one product with its shared keys,
 * and keys are never repeated. With a cache, scores over old and new columns are joined rather than keys, which would
 * copy the cache in each step.
 */
export function attend(heads: AttentionHeads, mask: AttentionMask): Node {
  const { queries, keys, values, cachedKeys, cachedValues } = heads
  const [batch, headCount, length, headSize] = queries.shape as [number, number, number, number]
  const groups = keys.shape[1]!
  const rows = (headCount / groups) * length
  const grouped = reshape(multiply(queries, scalar(1 / Math.sqrt(headSize))), [
    batch,
    groups,
    rows,
    headSize,
  ])
  const scoresOver = (columns: Node, hidden: Node): Node => {
    const scores = matmul(grouped, columns, { transposeB: true })
    return add(reshape(scores, [batch, headCount, length, columns.shape[2]!]), hidden)
  }
  const group = (weights: Node): Node => reshape(weights, [batch, groups, rows, weights.shape[3]!])

  let mixed: Node
  const own = scoresOver(keys, mask.own)
  if (cachedKeys === undefined || cachedValues === undefined || mask.cached === undefined) {
    mixed = matmul(group(softmax(own)), values)
  } else {
    const columns = cachedKeys.shape[2]!
    const weights = softmax(concat([scoresOver(cachedKeys, mask.cached), own], 3))
    const old = matmul(group(slice(weights, 3, 0, columns)), cachedValues)
    mixed = add(old, matmul(group(slice(weights, 3, columns, columns + length)), values))
  }
  const byToken = transpose(reshape(mixed, [batch, headCount, length, headSize]), [0, 2, 1, 3])
  return reshape(byToken, [batch * length, headCount * headSize])
}

/** [B * S, heads * headSize] -> [B, heads, S, headSize]. */
export function splitHeads(x: Node, batch: number, heads: number): Node {
  const [tokens, width] = x.shape as [number, number]
  return transpose(reshape(x, [batch, tokens / batch, heads, width / heads]), [0, 2, 1, 3])
}

function causalMask(length: number): Node {
  const mask = new Float32Array(length * length)
  for (let row = 0; row < length; row++)
    for (let column = row + 1; column < length; column++) mask[row * length + column] = HIDDEN_SCORE
  return constant(mask, [1, 1, length, length])
}

/** 1 -> 0, 0 -> HIDDEN_SCORE. */
function hideWhereZero(visible: Node): Node {
  return multiply(subtract(visible, scalar(1)), scalar(-HIDDEN_SCORE))
}
