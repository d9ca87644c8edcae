/**
 * Conversions between float32 and the two half-precision formats of checkpoints, on raw 16-bit patterns.
 * float16 is IEEE 754 binary16; bfloat16 is the upper half of a float32. Rounding is to nearest, ties to even.
 */

let float16Table: Float32Array | undefined

/** float16 bit patterns to float32; exact, subnormals included. */
export function float16ToFloat32(bits: Uint16Array): Float32Array {
  float16Table ??= buildFloat16Table()
  const table = float16Table
  const out = new Float32Array(bits.length)
  for (let i = 0; i < bits.length; i++) out[i] = table[bits[i]!]!
  return out
}

/** bfloat16 bit patterns to float32; exact. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array {
  const out = new Uint32Array(bits.length)
  for (let i = 0; i < bits.length; i++) out[i] = bits[i]! << 16
  return new Float32Array(out.buffer)
}

/** float32 to float16 bit patterns; what is too large becomes infinite. */
export function float32ToFloat16(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const out = new Uint16Array(values.length)
  for (let i = 0; i < values.length; i++) out[i] = roundToFloat16(words[i]!)
  return out
}

/** float32 to bfloat16 bit patterns. */
export function float32ToBfloat16(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const out = new Uint16Array(values.length)
  for (let i = 0; i < values.length; i++) {
    const word = words[i]!
    const notANumber = (word & 0x7fff_ffff) > 0x7f80_0000
    // A NaN whose payload lies in the lower half only must not round to infinity.
    out[i] = notANumber ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16
  }
  return out
}

function buildFloat16Table(): Float32Array {
  const table = new Float32Array(65_536)
  for (let bits = 0; bits < table.length; bits++) {
    const sign = bits & 0x8000 ? -1 : 1
    const exponent = (bits >>> 10) & 31
    const mantissa = bits & 1023
    if (exponent === 31) table[bits] = mantissa === 0 ? sign * Infinity : Number.NaN
    else if (exponent === 0) table[bits] = sign * mantissa * 2 ** -24
    else table[bits] = sign * (1024 + mantissa) * 2 ** (exponent - 25)
  }
  return table
}

function roundToFloat16(word: number): number {
  const sign = (word >>> 16) & 0x8000
  const magnitude = word & 0x7fff_ffff
  if (magnitude > 0x7f80_0000) return sign | 0x7e00
  if (magnitude >= 0x4780_0000) return sign | 0x7c00
  if (magnitude < 0x3880_0000) {
    // Subnormal: the value in units of 2^-24; shifting out more than 24 bits leaves nothing.
    const shift = 126 - (magnitude >>> 23)
    if (shift > 24) return sign
    return sign | roundShift((magnitude & 0x7f_ffff) | 0x80_0000, shift)
  }
  // Rebias the exponent from 127 to 15; a carry out of the mantissa goes up into it, to infinity at the end.
  return sign | roundShift(magnitude - 0x3800_0000, 13)
}

function roundShift(value: number, shift: number): number {
  const quotient = value >>> shift
  const rest = value & ((1 << shift) - 1)
  const half = 1 << (shift - 1)
  return rest > half || (rest === half && (quotient & 1) === 1) ? quotient + 1 : quotient
}
