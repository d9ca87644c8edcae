const f32 = new Float32Array(1)
const u32 = new Uint32Array(f32.buffer)

/** Largest finite half-precision number. */
export const FLOAT16_MAX = 65_504

/**
 * IEEE 754 half precision of a number, rounded to nearest even; 0x7c00 and more for what does not
 * fit.
 */
export function toFloat16(value: number): number {
  f32[0] = value
  const bits = u32[0] ?? 0
  const sign = (bits >>> 16) & 0x8000
  const exponent = (bits >>> 23) & 0xff
  const mantissa = bits & 0x7fffff
  if (exponent === 0xff) return sign | 0x7c00 | (mantissa ? 0x200 : 0)
  const shifted = exponent - 112
  if (shifted >= 31) return sign | 0x7c00
  if (shifted <= 0) {
    if (shifted < -10) return sign
    return sign | roundShift(mantissa | 0x800000, 14 - shifted)
  }
  // A carry out of the mantissa raises the exponent, as it should.
  return sign | roundShift((shifted << 23) | mantissa, 13)
}

/** The number of half-precision bits. */
export function fromFloat16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >>> 10) & 0x1f
  const mantissa = half & 0x3ff
  if (exponent === 0) return sign * mantissa * 2 ** -24
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15)
}

/** `value >> shift`, rounded to nearest, ties to even. */
function roundShift(value: number, shift: number): number {
  const low = value & ((1 << shift) - 1)
  const half = 1 << (shift - 1)
  const result = value >>> shift
  return low > half || (low === half && result & 1) ? result + 1 : result
}
