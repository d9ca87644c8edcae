import { sizeOf } from '#engine'
import type { CausalModel } from '#learning/models'

/** Each length has programs of its own, and with them a copy of frozen weights; above this size there is one length. */
const MAX_WEIGHT_BYTES_A_LENGTH = 128 * 2 ** 20
const SHORTEST_LENGTH = 32

/** The prompt lengths, in tokens, that programs are compiled for: powers of two, and `longest` at the end. */
export function promptLengths(
  model: CausalModel,
  base: 'frozen' | 'live',
  longest: number,
): readonly number[] {
  let weightBytes = 0
  for (const shape of model.parameters.values()) weightBytes += 4 * sizeOf(shape)
  if (base === 'frozen' && weightBytes > MAX_WEIGHT_BYTES_A_LENGTH) return [longest]
  const lengths: number[] = []
  for (let length = SHORTEST_LENGTH; length < longest; length *= 2) lengths.push(length)
  return [...lengths, longest]
}
