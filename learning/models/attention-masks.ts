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
  // How far back each cached column lies, [B, 1, S, T]: column t of a row holds its token at position t.
  const distances =
    cache === undefined
      ? undefined
      : subtract(
          reshape(cast(positions, 'float32'), [batch, 1, length, 1]),
          constant(
            Float32Array.from({ length: cachedColumns }, (_, t) => t),
            [cachedColumns],
          ),
        )

  function build({ window, alibiSlopes }: LayerAttention): AttentionMask {
    const fixed = fixedMask(length, window ?? length, alibiSlopes)
    const own = otherSegments === undefined ? fixed : add(otherSegments, fixed)
    if (unfilled === undefined || distances === undefined) return { own }
    let cached = unfilled
    if (window !== undefined) cached = add(cached, hideWhereZero(less(distances, scalar(window))))
    if (alibiSlopes !== undefined) {
      const slopes = Float32Array.from(alibiSlopes, (slope) => -slope)
      cached = add(cached, multiply(distances, constant(slopes, [slopes.length, 1, 1])))
    }
    return { own, cached }
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

/**
 * [1, 1 or H, S, S]: what depends on the distance of two tokens of one row alone. In a packed row too, since a segment's
 * tokens lie next to each other.
 */
function fixedMask(length: number, window: number, alibiSlopes?: readonly number[]): Node {
  const slopes = alibiSlopes ?? [0]
  const mask = new Float32Array(slopes.length * length * length)
  let at = 0
  for (const slope of slopes)
    for (let row = 0; row < length; row++)
      for (let column = 0; column < length; column++, at++) {
        const distance = row - column
        mask[at] = distance < 0 || distance >= window ? HIDDEN_SCORE : -slope * distance
      }
  return constant(mask, [1, slopes.length, length, length])
}

/** 1 -> 0, 0 -> HIDDEN_SCORE. */
function hideWhereZero(visible: Node): Node {
  return multiply(subtract(visible, scalar(1)), scalar(-HIDDEN_SCORE))
}
