import {
  add,
  cast,
  constant,
  equal,
  less,
  multiply,
  type Node,
  reshape,
  scalar,
  subtract,
} from '#engine'
import type { HiddenInputs } from './causal-model.ts'
import type { LayerAttention } from './layer-attention.ts'

/** Added to a score that must not count: exp of it is 0, and a row in which all are hidden still has no NaN. */
const HIDDEN_SCORE = -1e9

/** What is added to the scores over the new tokens' own columns and over the cache's. */
export interface AttentionMask {
  /** [1 or B, 1 or H, S, S]. */
  readonly own: Node
  /** [B, 1 or H, 1 or S, T]. */
  readonly cached?: Node
}

/**
 * The masks of one forward pass: causal, within segments and windows, filled columns of the cache, and the distances of
 * ALiBi. Layers of one kind share a mask; a kind that no layer asks for is never built.
 */
export function attentionMasks(inputs: HiddenInputs): (layer: LayerAttention) => AttentionMask {
  const { tokens, positions, segments, cache } = inputs
  const [batch, length] = tokens.shape as [number, number]
  const cachedColumns = cache?.filled.shape[1] ?? 0
  const otherSegments = segments === undefined ? undefined : hideOtherSegments(segments)
  const unfilled =
    cache === undefined
      ? undefined
      : hideWhereZero(reshape(cache.filled, [batch, 1, 1, cachedColumns]))
  // How far back columns lie, [B, 1, S, S or T]. Column t of the cache holds the row's token at position t.
  const where = cast(positions, 'float32')
  const distancesTo = (columns: Node) => subtract(reshape(where, [batch, 1, length, 1]), columns)
  const distances = distancesTo(reshape(where, [batch, 1, 1, length]))
  const cachedDistances =
    cache === undefined
      ? undefined
      : distancesTo(
          constant(
            Float32Array.from({ length: cachedColumns }, (_, t) => t),
            [cachedColumns],
          ),
        )

  function build({ window, alibiSlopes }: LayerAttention): AttentionMask {
    const lessByDistance = (mask: Node, byDistance: Node): Node => {
      if (alibiSlopes === undefined) return mask
      const slopes = Float32Array.from(alibiSlopes, (slope) => -slope)
      return add(mask, multiply(byDistance, constant(slopes, [slopes.length, 1, 1])))
    }
    const causal = causalMask(length, window ?? length)
    const visible = otherSegments === undefined ? causal : add(otherSegments, causal)
    const own = lessByDistance(visible, distances)
    if (unfilled === undefined || cachedDistances === undefined) return { own }
    const near =
      window === undefined
        ? unfilled
        : add(unfilled, hideWhereZero(less(cachedDistances, scalar(window))))
    return { own, cached: lessByDistance(near, cachedDistances) }
  }

  const built = new Map<string, AttentionMask>()
  return (layer) => {
    // A window that nothing reaches beyond hides nothing.
    const reaches = layer.window !== undefined && layer.window < length + cachedColumns
    const kind = `${reaches ? layer.window : 'all'} ${layer.alibiSlopes ?? ''}`
    const { window: _, ...rest } = layer
    const mask = built.get(kind) ?? build(reaches ? layer : rest)
    built.set(kind, mask)
    return mask
  }
}

/** [B, 1, S, S]. Padding is a segment as well (0): it sees itself, which keeps its softmax finite. */
function hideOtherSegments(segments: Node): Node {
  const [batch, length] = segments.shape as [number, number]
  const rows = reshape(segments, [batch, 1, length, 1])
  const columns = reshape(segments, [batch, 1, 1, length])
  return hideWhereZero(equal(rows, columns))
}

/** [1, 1, S, S]. For a window in packed rows too: a segment's tokens lie next to each other. */
function causalMask(length: number, window: number): Node {
  const mask = new Float32Array(length * length)
  for (let row = 0; row < length; row++)
    for (let column = 0; column < length; column++)
      if (column > row || row - column >= window) mask[row * length + column] = HIDDEN_SCORE
  return constant(mask, [1, 1, length, length])
}

/** 1 -> 0, 0 -> HIDDEN_SCORE. */
function hideWhereZero(visible: Node): Node {
  return multiply(subtract(visible, scalar(1)), scalar(-HIDDEN_SCORE))
}
