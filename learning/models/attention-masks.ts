import {
  add,
  cast,
  constant,
  equal,
  multiply,
  type Node,
  reshape,
  scalar,
  slice,
  subtract,
} from '#engine'
import type { HiddenInputs } from './causal-model.ts'
import type { LayerAttention } from './layer-attention.ts'
import type { QueryBlock } from './query-blocks.ts'

/** Added to a score that must not count: exp of it is 0, and a row in which all are hidden still has no NaN. */
const HIDDEN_SCORE = -1e9

/**
 * What is added to the scores of a block of queries in a forward pass without a cache, [1 or B, 1 or H, queries, keys]: causal,
 * within segments and windows, and the distances of ALiBi. Layers of one kind share their masks; a kind that no layer asks for is
 * never built.
 */
export function attentionMasks(
  inputs: HiddenInputs,
): (layer: LayerAttention, block: QueryBlock) => Node {
  const { tokens, positions, segments } = inputs
  const [, length] = tokens.shape as [number, number]
  const where = cast(positions, 'float32')

  function build({ alibiSlopes, window }: LayerAttention, block: QueryBlock): Node {
    const causal = causalMask(block, window)
    const visible = segments === undefined ? causal : add(otherSegments(segments, block), causal)
    if (alibiSlopes === undefined) return visible
    const slopes = Float32Array.from(alibiSlopes, (slope) => -slope)
    const distances = subtract(...pairs(where, block))
    return add(visible, multiply(distances, constant(slopes, [slopes.length, 1, 1])))
  }

  const built = new Map<string, Node>()
  return (layer, block) => {
    // A window that nothing reaches beyond hides nothing.
    const reaches = layer.window !== undefined && layer.window < length
    const kind = `${reaches ? layer.window : 'all'} ${layer.alibiSlopes ?? ''} ${block.start}`
    const { window: _, ...rest } = layer
    const mask = built.get(kind) ?? build(reaches ? layer : rest, block)
    built.set(kind, mask)
    return mask
  }
}

/** [B, 1, queries, keys]. Padding is a segment as well (0): it sees itself, which keeps its softmax finite. */
function otherSegments(segments: Node, block: QueryBlock): Node {
  return hideWhereZero(equal(...pairs(segments, block)))
}

/** What is known of each token, [B, S]: of a block's queries, [B, 1, queries, 1], and of its keys, [B, 1, 1, keys]. */
function pairs(x: Node, { start, end, firstKey }: QueryBlock): [queries: Node, keys: Node] {
  const batch = x.shape[0]!
  return [
    reshape(slice(x, 1, start, end), [batch, 1, end - start, 1]),
    reshape(slice(x, 1, firstKey, end), [batch, 1, 1, end - firstKey]),
  ]
}

/** [1, 1, queries, keys]. For a window in packed rows too: a segment's tokens lie next to each other. */
function causalMask({ start, end, firstKey }: QueryBlock, window = end): Node {
  const columns = end - firstKey
  const mask = new Float32Array((end - start) * columns)
  for (let query = start; query < end; query++)
    for (let key = firstKey; key < end; key++)
      if (key > query || query - key >= window)
        mask[(query - start) * columns + key - firstKey] = HIDDEN_SCORE
  return constant(mask, [1, 1, end - start, columns])
}

/** 1 -> 0, 0 -> HIDDEN_SCORE. */
function hideWhereZero(visible: Node): Node {
  return multiply(subtract(visible, scalar(1)), scalar(-HIDDEN_SCORE))
}
