/**
 * The head of a GGUF file, version 3 (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): metadata, then what tensors there
 * are. All little-endian; the tensors' bytes begin at the next multiple of 32 and each is padded to one.
 */

export type GgufValue =
  | { readonly uint32: number }
  | { readonly float32: number }
  | { readonly string: string }
  | { readonly strings: readonly string[] }
  | { readonly int32s: readonly number[] }
  | { readonly float32s: readonly number[] }

export interface GgufTensor {
  readonly name: string
  /** Rows first, as everywhere here; the file has them the other way round. */
  readonly shape: readonly number[]
  /** Of {@link GGML_TYPES}. */
  readonly type: number
  readonly bytes: number
}

const ALIGNMENT = 32
const VERSION = 3
const TYPES = { uint32: 4, int32: 5, float32: 6, string: 8, array: 9 } as const

export function padding(bytes: number): Uint8Array {
  return new Uint8Array((ALIGNMENT - (bytes % ALIGNMENT)) % ALIGNMENT)
}

export function ggufHeader(
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[],
): Uint8Array {
  const entries = Object.entries(metadata)
  const parts = [
    Buffer.from('GGUF'),
    uint32(VERSION),
    uint64(tensors.length),
    uint64(entries.length),
  ]
  for (const [key, value] of entries) parts.push(string(key), ...encodeValue(value))
  let offset = 0
  for (const { name, shape, type, bytes } of tensors) {
    parts.push(string(name), uint32(shape.length), ...[...shape].reverse().map(uint64))
    parts.push(uint32(type), uint64(offset))
    offset += bytes + padding(bytes).length
  }
  const header = Buffer.concat(parts)
  return Buffer.concat([header, padding(header.length)])
}

function encodeValue(value: GgufValue): readonly Buffer[] {
  if ('uint32' in value) return [uint32(TYPES.uint32), uint32(value.uint32)]
  if ('float32' in value) return [uint32(TYPES.float32), float32(value.float32)]
  if ('string' in value) return [uint32(TYPES.string), string(value.string)]
  if ('strings' in value) return array(TYPES.string, value.strings.map(string))
  if ('int32s' in value) return array(TYPES.int32, value.int32s.map(uint32))
  return array(TYPES.float32, value.float32s.map(float32))
}

function array(type: number, items: readonly Buffer[]): readonly Buffer[] {
  return [uint32(TYPES.array), uint32(type), uint64(items.length), ...items]
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([uint64(bytes.length), bytes])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

function float32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return bytes
}
