import { constant, type Node, rotary } from '#engine'

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

export interface RopeConfig {
  readonly theta: number
  readonly scaling: RopeScaling
}

/** Rotates heads [B, H, S, headSize] by the angles of their tokens' positions. */
export type Rotation = (heads: Node) => Node

/**
 * Rotary position embedding (Su et al. 2021) for tokens at `positions` int32 [B, S], each below `limit`.
 * The table of angles is a constant that all layers share.
 */
export function createRotation(
  positions: Node,
  limit: number,
  headSize: number,
  rope: RopeConfig,
): Rotation {
  const frequencies = ropeFrequencies(headSize, rope)
  const half = headSize / 2
  const cosines = new Float32Array(limit * half)
  const sines = new Float32Array(limit * half)
  for (let position = 0; position < limit; position++)
    for (let i = 0; i < half; i++) {
      const angle = position * frequencies[i]!
      cosines[position * half + i] = Math.cos(angle)
      sines[position * half + i] = Math.sin(angle)
    }
  const cosineTable = constant(cosines, [limit, half])
  const sineTable = constant(sines, [limit, half])
  return (heads) => rotary(heads, positions, cosineTable, sineTable)
}

/** Radians a position for each of the headSize / 2 pairs. */
function ropeFrequencies(headSize: number, { theta, scaling }: RopeConfig): number[] {
  const plain = Array.from({ length: headSize / 2 }, (_, i) => theta ** ((-2 * i) / headSize))
  if (scaling.type === 'linear') return plain.map((frequency) => frequency / scaling.factor)
  if (scaling.type === 'llama3') return plain.map((frequency) => llama3(frequency, scaling))
  return plain
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
