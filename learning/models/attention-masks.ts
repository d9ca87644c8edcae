import { add, cast, constant, equal, multiply, type Node, reshape, scalar, subtract } from '#engine'
import type { HiddenInputs } from './causal-model.ts'
import type { LayerAttention } from './layer-attention.ts'

/** Added to a score that must not count: exp of it is 0, and a row in which all are hidden still has no NaN. */
const HIDDEN_SCORE = -1e9

/**
 * What is added to the scores of one forward pass without a cache, [1 or B, 1 or H, S, S]: causal, within segments and
 * windows, and the distances of ALiBi. Layers of one kind share a mask; a kind that no layer asks for is never built.
 */
export function attentionMasks(inputs: HiddenInputs): (layer: LayerAttention) => Node {
  const { tokens, positions, segments } = inputs
  const [batch, length] = tokens.shape as [number, number]
  const otherSegments = segments === undefined ? undefined : hideOtherSegments(segments)
  const where = cast(positions, 'float32')
  const distances = subtract(
    reshape(where, [batch, 1, length, 1]),
    reshape(where, [batch, 1, 1, length]),
  )

  function build({ window, alibiSlopes }: LayerAttention): Node {
    const causal = causalMask(length, window ?? length)
    const visible = otherSegments === undefined ? causal : add(otherSegments, causal)
    if (alibiSlopes === undefined) return visible
    const slopes = Float32Array.from(alibiSlopes, (slope) => -slope)
    return add(visible, multiply(distances, constant(slopes, [slopes.length, 1, 1])))
  }

  const built = new Map<string, Node>()
  return (layer) => {
    // A window that nothing reaches beyond hides nothing.
    const reaches = layer.window !== undefined && layer.window < length
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
