import type { AdapterWeights } from '#learning/tuning'
import { type AdapterUpdate, decodeUpdate, encodeUpdate } from './update-codec.ts'

/**
 * Encodes in int8 what training wants to send plus what rounding withheld in the round before, and
 * returns what is withheld now. So rounding errors do not add up over rounds (Karimireddy et al.
 * 2019, "Error feedback fixes SignSGD"). The residual is to be kept with the round it belongs to,
 * and dropped when that update was refused.
 */
export function encodeWithFeedback(
  update: AdapterUpdate,
  residual: AdapterWeights | undefined,
): { readonly bytes: Uint8Array; readonly residual: AdapterWeights } {
  const wanted = combine(update.delta, residual, (a, b) => a + b)
  const bytes = encodeUpdate({ ...update, delta: wanted }, 'int8')
  return { bytes, residual: combine(wanted, decodeUpdate(bytes).delta, (a, b) => a - b) }
}

/** Element by element; a tensor that `other` lacks, or has in another shape, is taken as it is. */
function combine(
  weights: AdapterWeights,
  other: AdapterWeights | undefined,
  operation: (a: number, b: number) => number,
): AdapterWeights {
  return new Map(
    [...weights].map(([name, { shape, data }]) => {
      const values = other?.get(name)?.data
      const combined = Float32Array.from(data)
      if (values?.length === data.length) {
        for (const [i, value] of values.entries()) combined[i] = operation(combined[i] ?? 0, value)
      }
      return [name, { dtype: 'float32' as const, shape, data: combined }]
    }),
  )
}
