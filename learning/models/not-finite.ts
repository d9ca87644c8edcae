import type { WeightDtype } from './safetensors.ts'

export interface NotFinite {
  readonly infinite: number
  readonly notANumber: number
}

/** Where the exponent lies in a value of each dtype; all its bits are set in what is not finite. */
const EXPONENT = { F32: 0x7f80_0000, F16: 0x7c00, BF16: 0x7f80 } as const
const MAGNITUDE = { F32: 0x7fff_ffff, F16: 0x7fff, BF16: 0x7fff } as const

/** Counts infinities and NaN among stored values, by their bits (IEEE 754). */
export function countNotFinite(dtype: WeightDtype, bytes: Uint8Array): NotFinite {
  const { buffer, byteOffset, byteLength } = bytes
  const values =
    dtype === 'F32'
      ? new Uint32Array(buffer, byteOffset, byteLength / 4)
      : new Uint16Array(buffer, byteOffset, byteLength / 2)
  const exponent = EXPONENT[dtype]
  const counts = { infinite: 0, notANumber: 0 }
  for (let i = 0; i < values.length; i++) {
    if ((values[i]! & exponent) !== exponent) continue
    if ((values[i]! & MAGNITUDE[dtype]) === exponent) counts.infinite++
    else counts.notANumber++
  }
  return counts
}
