import { bytesOf, CotuneError, EXIT, shown } from '#base'
import type { Tensor } from '#engine'
import {
  bfloat16ToFloat32,
  float16ToFloat32,
  float32ToBfloat16,
  float32ToFloat16,
} from './half-floats.ts'
import { parseSafetensorsHeader, type TensorEntry } from './safetensors-header.ts'
import { readHeaderLength } from './safetensors-header-length.ts'

/** How the numbers of a saved file are stored. In memory weights are always float32. */
export type StoredDtype = 'float32' | 'float16' | 'bfloat16'

export interface EncodeSafetensorsOptions {
  /** Default `float32`. */
  readonly dtype?: StoredDtype
  readonly metadata?: Readonly<Record<string, string>>
}

const DTYPE_NAMES = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' } as const

/**
 * The bytes of a safetensors file, part by part: header, then tensors in the order of their names.
 * The same tensors give the same bytes.
 */
export function* encodeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  options: EncodeSafetensorsOptions = {},
): Generator<Uint8Array> {
  const dtype = options.dtype ?? 'float32'
  const elementBytes = dtype === 'float32' ? 4 : 2
  const names = [...tensors.keys()].sort()
  const entries: [string, unknown][] = []
  if (options.metadata !== undefined) entries.push(['__metadata__', options.metadata])
  let begin = 0
  for (const name of names) {
    const tensor = tensors.get(name)!
    const end = begin + tensor.data.length * elementBytes
    const { shape } = tensor
    entries.push([name, { dtype: DTYPE_NAMES[dtype], shape, data_offsets: [begin, end] }])
    begin = end
  }
  yield encodeHeader(entries)
  for (const name of names) yield encodeValues(tensors.get(name)!, dtype, name)
}

/**
 * Reads a safetensors file held in memory: every tensor becomes float32, in memory of its own.
 *
 * @param label names the bytes in errors
 * @throws CotuneError with a code SAFETENSORS_*
 */
export function decodeSafetensors(bytes: Uint8Array, label: string): ReadonlyMap<string, Tensor> {
  const headerBytes = readHeaderLength(bytes.subarray(0, 64), bytes.length, label)
  const data = bytes.subarray(8 + headerBytes)
  const entries = parseSafetensorsHeader(bytes.subarray(8, 8 + headerBytes), data.length, label)
  const tensors = new Map<string, Tensor>()
  for (const entry of entries) {
    const { name, shape, begin, end } = entry
    const values = decodeValues(weightDtype(entry, label), data.slice(begin, end))
    tensors.set(name, { dtype: 'float32', shape, data: values })
  }
  return tensors
}

/** How the weights of a file may be stored. */
export type WeightDtype = 'F32' | 'F16' | 'BF16'

/**
 * The dtype of a tensor whose numbers can become float32 weights.
 *
 * @throws CotuneError SAFETENSORS_DTYPE_UNSUPPORTED
 */
export function weightDtype({ name, dtype }: TensorEntry, file: string): WeightDtype {
  if (dtype === 'F32' || dtype === 'F16' || dtype === 'BF16') return dtype
  throw new CotuneError(
    'SAFETENSORS_DTYPE_UNSUPPORTED',
    `${file}: tensor ${shown(name)} has dtype ${dtype}, which is not supported`,
    {
      hint: 'Convert the checkpoint to F32, F16 or BF16; quantised weights cannot be tuned.',
      data: { file, tensor: shown(name), dtype },
      exit: EXIT.data,
    },
  )
}

/**
 * Stored bytes as float32. `bytes` must begin at an even multiple of the element size; float32 is not copied.
 */
export function decodeValues(dtype: WeightDtype, bytes: Uint8Array): Float32Array {
  // The format is little-endian, and so is every platform Node runs on.
  const { buffer, byteOffset, byteLength } = bytes
  if (dtype === 'F32') return new Float32Array(buffer as ArrayBuffer, byteOffset, byteLength / 4)
  const bits = new Uint16Array(buffer as ArrayBuffer, byteOffset, byteLength / 2)
  return dtype === 'F16' ? float16ToFloat32(bits) : bfloat16ToFloat32(bits)
}

function encodeHeader(entries: readonly [string, unknown][]): Uint8Array {
  // Written by hand: an object would treat a tensor named __proto__ apart and reorder names that look like numbers.
  const json = `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`
  const text = Buffer.from(json)
  const padded = Math.ceil(text.length / 8) * 8
  const out = Buffer.alloc(8 + padded, ' ')
  out.writeBigUInt64LE(BigInt(padded), 0)
  text.copy(out, 8)
  return out
}

function encodeValues(tensor: Tensor, dtype: StoredDtype, name: string): Uint8Array {
  const { data } = tensor
  if (!(data instanceof Float32Array)) throw new TypeError(`${name} is not a float32 tensor`)
  if (dtype === 'float16') return bytesOf(float32ToFloat16(data))
  if (dtype === 'bfloat16') return bytesOf(float32ToBfloat16(data))
  return bytesOf(data)
}
