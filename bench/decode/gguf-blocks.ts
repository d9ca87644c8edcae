import { bytesOf } from '#base'
import { float32ToFloat16 } from '#learning/models'

/** How llama.cpp stores a matrix: numbers, or blocks of 32 with a scale. */
export type GgufType = 'f32' | 'q8_0' | 'q4_0'

export const BLOCK = 32

/** As enum ggml_type of ggml.h numbers them. */
export const GGML_TYPES: Readonly<Record<GgufType, number>> = { f32: 0, q4_0: 2, q8_0: 8 }

/** Bytes of 32 numbers; a scale takes two. */
const BLOCK_BYTES: Readonly<Record<GgufType, number>> = { f32: 4 * BLOCK, q4_0: 18, q8_0: 34 }

export function ggufBytes(type: GgufType, count: number): number {
  return type === 'f32' ? 4 * count : (count / BLOCK) * BLOCK_BYTES[type]
}

/** `values`, a multiple of 32 of them, as ggml-quants.c rounds and lays them out. */
export function encodeGguf(type: GgufType, values: Float32Array): Uint8Array {
  if (type === 'f32') return bytesOf(values)
  const blocks = values.length / BLOCK
  const encode = type === 'q8_0' ? encodeQ8 : encodeQ4
  const scales = new Float32Array(blocks)
  const out = new Uint8Array(ggufBytes(type, values.length))
  const stride = BLOCK_BYTES[type]
  for (let block = 0; block < blocks; block++) {
    const from = values.subarray(block * BLOCK, (block + 1) * BLOCK)
    scales[block] = encode(from, out.subarray(block * stride + 2, (block + 1) * stride))
  }
  const view = new DataView(out.buffer)
  float32ToFloat16(scales).forEach((half, block) => {
    view.setUint16(block * stride, half, true)
  })
  return out
}

/** Signed bytes: x = scale * q. */
function encodeQ8(values: Float32Array, out: Uint8Array): number {
  const scale = Math.abs(furthest(values)) / 127
  for (let i = 0; i < BLOCK; i++) out[i] = scale === 0 ? 0 : Math.round(values[i]! / scale)
  return scale
}

/** Half bytes, the first sixteen numbers in the lower ones: x = scale * (q - 8), the furthest number at q = 0. */
function encodeQ4(values: Float32Array, out: Uint8Array): number {
  const scale = furthest(values) / -8
  const quantum = (i: number) =>
    scale === 0 ? 8 : Math.min(15, Math.trunc(values[i]! / scale + 8.5))
  for (let i = 0; i < BLOCK / 2; i++) out[i] = quantum(i) | (quantum(i + BLOCK / 2) << 4)
  return scale
}

function furthest(values: Float32Array): number {
  return values.reduce((most, x) => (Math.abs(x) > Math.abs(most) ? x : most), 0)
}
