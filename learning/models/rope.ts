import { constant, type Node, rotary } from '#engine'
import type { LayerAttention } from './layer-attention.ts'

/** How rotary angles are stretched for contexts longer than the model was first trained on. */
export type RopeScaling =
  | { readonly type: 'default' }
  | { readonly type: 'linear'; readonly factor: number }
  | {
      readonly type: 'llama3'
      readonly factor: number
      readonly lowFrequencyFactor: number
      readonly highFrequencyFactor: number
      readonly originalContextLength: number
    }
  | {
      readonly type: 'yarn'
      readonly factor: number
      readonly originalContextLength: number
      /** Pairs that turn more often than `fast` within the original context stay, those that turn less than `slow` are stretched. */
      readonly turns: { readonly fast: number; readonly slow: number }
      /** Whether the ramp between them begins and ends at whole pairs. */
      readonly truncate: boolean
      /** What cosines and sines are multiplied with. */
      readonly attentionFactor: number
    }
  | {
      readonly type: 'longrope'
      /** What each pair's frequency is divided by within the original context. */
      readonly shortFactors: readonly number[]
      /** What cosines and sines are multiplied with. */
      readonly attentionFactor: number
    }

export interface RopeConfig {
  readonly theta: number
  readonly scaling: RopeScaling
}

/** Rotates heads [B, H, S, headSize] by the angles of their tokens' positions. */
export type Rotation = (heads: Node) => Node

/**
 * Rotary position embedding (Su et al. 2021) for tokens at `positions` int32 [B, S], each below `limit`.
 * The tables of angles are constants that all layers of one width share.
 */
export function createRotations(
  positions: Node,
  limit: number,
  rope: RopeConfig | undefined,
): (layer: LayerAttention) => Rotation {
  const tables = new Map<number, readonly [Node, Node]>()
  return ({ rotaryWidth }) => {
    if (rope === undefined || rotaryWidth === 0) return (heads) => heads
    const [cosines, sines] = tables.get(rotaryWidth) ?? rotaryTables(rotaryWidth, limit, rope)
    tables.set(rotaryWidth, [cosines, sines])
    return (heads) => rotary(heads, positions, cosines, sines)
  }
}

/** Cosines and sines of positions 0 to `limit` - 1, each [limit, width / 2]. */
function rotaryTables(width: number, limit: number, rope: RopeConfig): readonly [Node, Node] {
  const half = width / 2
  const frequencies = ropeFrequencies(width, rope)
  const scale = 'attentionFactor' in rope.scaling ? rope.scaling.attentionFactor : 1
  const cosines = new Float32Array(limit * half)
  const sines = new Float32Array(limit * half)
  for (let position = 0; position < limit; position++)
    for (let i = 0; i < half; i++) {
      // Rounded as transformers rounds it: at position 1,000 the difference shows.
      const angle = Math.fround(position * frequencies[i]!)
      cosines[position * half + i] = scale * Math.cos(angle)
      sines[position * half + i] = scale * Math.sin(angle)
    }
  return [constant(cosines, [limit, half]), constant(sines, [limit, half])]
}

/** Radians a position for each of the width / 2 pairs. */
function ropeFrequencies(width: number, { theta, scaling }: RopeConfig): Float32Array {
  const plain = Float32Array.from({ length: width / 2 }, (_, i) => theta ** ((-2 * i) / width))
  switch (scaling.type) {
    case 'default':
      return plain
    case 'linear':
      return plain.map((frequency) => frequency / scaling.factor)
    case 'llama3':
      return plain.map((frequency) => llama3(frequency, scaling))
    case 'yarn':
      return yarn(plain, theta, scaling)
    case 'longrope':
      return plain.map((frequency, i) => frequency / scaling.shortFactors[i]!)
  }
}

/** YaRN (Peng et al. 2023, arXiv 2309.00071): a ramp over the pairs from those that stay to those that are stretched. */
function yarn(
  plain: Float32Array,
  theta: number,
  scaling: Extract<RopeScaling, { type: 'yarn' }>,
): Float32Array {
  const { factor, originalContextLength, turns, truncate } = scaling
  /** The pair, counted in fractions, that turns so often within the original context. */
  const pairOf = (often: number) =>
    (plain.length * Math.log(originalContextLength / (2 * Math.PI * often))) / Math.log(theta)
  const [fast, slow] = [pairOf(turns.fast), pairOf(turns.slow)]
  const begin = Math.max(truncate ? Math.floor(fast) : fast, 0)
  const end = Math.min(truncate ? Math.ceil(slow) : slow, 2 * plain.length - 1)
  const width = begin === end ? 0.001 : end - begin
  return plain.map((frequency, pair) => {
    const stretched = Math.min(Math.max((pair - begin) / width, 0), 1)
    return (frequency / factor) * stretched + frequency * (1 - stretched)
  })
}

/** Llama 3.1: long waves are stretched, short ones kept, those between interpolated. */
function llama3(frequency: number, scaling: Extract<RopeScaling, { type: 'llama3' }>): number {
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high } = scaling
  const waves = (scaling.originalContextLength * frequency) / (2 * Math.PI)
  if (waves > high) return frequency
  if (waves < low) return frequency / factor
  const share = (waves - low) / (high - low)
  return (1 - share) * (frequency / factor) + share * frequency
}
