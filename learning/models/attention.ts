import {
  add,
  concat,
  matmul,
  multiply,
  type Node,
  reshape,
  scalar,
  slice,
  softmax,
  tanh,
  transpose,
} from '#engine'
import type { LayerAttention } from './layer-attention.ts'
import { type QueryBlock, queryBlocks } from './query-blocks.ts'

/** Queries, keys and values of S new tokens, [B, heads or keyValueHeads, S, headSize]. */
export interface AttentionHeads {
  readonly queries: Node
  readonly keys: Node
  readonly values: Node
}

/**
 * Scaled dot-product attention of grouped queries (Ainslie et al. 2023): [B, H, S, D] -> [B * S, H * D].
 *
 * Query heads of a group lie next to each other, so a group becomes more rows of one product with its shared keys,
 * and keys are never repeated. Windows and distances are in the mask. Keys that no query of a block can see are left out.
 *
 * @param maskOf [1 or B, 1 or H, queries, keys] of a block, added to its scores
 */
export function attend(
  heads: AttentionHeads,
  layer: LayerAttention,
  maskOf: (block: QueryBlock) => Node,
): Node {
  const { queries, keys, values } = heads
  const [batch, headCount, length, headSize] = queries.shape as [number, number, number, number]
  const cut = (x: Node, start: number, end: number) =>
    end - start === length ? x : slice(x, 2, start, end)
  const parts = queryBlocks(length, layer.window).map((block) => {
    const { start, end, firstKey } = block
    const seen = {
      queries: cut(queries, start, end),
      keys: cut(keys, firstKey, end),
      values: cut(values, firstKey, end),
    }
    return attendAll(seen, layer, maskOf(block))
  })
  const mixed = parts.length === 1 ? parts[0]! : concat(parts, 2)
  return reshape(transpose(mixed, [0, 2, 1, 3]), [batch * length, headCount * headSize])
}

/** [B, H, queries, D]; `mask` is [1 or B, 1 or H, queries, keys]. */
function attendAll(
  { queries, keys, values }: AttentionHeads,
  { scale, softcap }: LayerAttention,
  mask: Node,
): Node {
  const [batch, headCount, length, headSize] = queries.shape as [number, number, number, number]
  const [, groups, keyCount] = keys.shape as [number, number, number]
  const rows = (headCount / groups) * length
  const factor = softcap === undefined ? scale : scale / softcap
  const grouped = reshape(queries, [batch, groups, rows, headSize])
  const products = matmul(grouped, keys, { transposeB: true, scale: factor })
  const capped = softcap === undefined ? products : multiply(tanh(products), scalar(softcap))
  const scores = add(reshape(capped, [batch, headCount, length, keyCount]), mask)
  const weights = reshape(softmax(scores), [batch, groups, rows, keyCount])
  return reshape(matmul(weights, values), [batch, headCount, length, headSize])
}

/** [B * S, heads * headSize] or [B * S, heads, headSize] -> [B, heads, S, headSize]. */
export function splitHeads(x: Node, batch: number, heads: number): Node {
  return transpose(reshape(x, [batch, x.shape[0]! / batch, heads, -1]), [0, 2, 1, 3])
}

/** A joint projection [N, sum of widths], cut into its columns: one [N, width] each. */
export function splitColumns(x: Node, widths: readonly number[]): readonly Node[] {
  let start = 0
  return widths.map((width) => {
    start += width
    return slice(x, 1, start - width, start)
  })
}

/**
 * A joint projection that lies head by head (GPT-NeoX, BLOOM), query, key and value of the first head and so on:
 * [N, heads * 3 * headSize] -> three times [N, heads, headSize].
 */
export function splitInterleaved(x: Node, heads: number): readonly Node[] {
  const joint = reshape(x, [x.shape[0]!, heads, -1])
  const size = joint.shape[2]! / 3
  return [0, 1, 2].map((part) => slice(joint, 2, part * size, (part + 1) * size))
}
