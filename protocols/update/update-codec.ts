import { bytesOf, CotuneError, concatBytes, createBreather, utf8 } from '#base'
import type { AdapterWeights } from '#learning/tuning'
import {
  bounded,
  fieldError,
  LIMITS,
  messageCodec,
  safeInteger,
  shortText,
} from '#protocols/messages'
import {
  decodeTensor,
  encodedBytes,
  encodeTensor,
  PRECISIONS,
  type Precision,
} from './tensor-codec.ts'
import { UpdateHeaderSchema } from './update_pb.ts'

/** What a device contributes to a round: how its adapter has changed, and on how many examples. */
export interface AdapterUpdate {
  /** Names to float32 tensors. */
  readonly delta: AdapterWeights
  /** The update's weight in the mean. */
  readonly examples: number
}

interface TensorHeader {
  readonly name: string
  readonly shape: readonly number[]
  readonly precision: Precision
}

interface Header {
  readonly tensors: readonly TensorHeader[]
  readonly examples: number
}

const MAGIC = utf8('CTU1')
const MAX_HEADER_BYTES = 1024 * 1024
const MAX_TENSORS = 4_096
const MAX_DIMENSIONS = 4
const MAX_ELEMENTS = (LIMITS.chunks * LIMITS.chunkBytes) / 4

const headerCodec = messageCodec({
  schema: UpdateHeaderSchema,
  maxBytes: MAX_HEADER_BYTES,
  toWire: (value: Header) => ({
    tensors: value.tensors.map(({ name, shape, precision }) => ({
      name,
      shape: [...shape],
      precision,
    })),
    examples: value.examples,
  }),
  fromWire: (message): Header => ({
    tensors: bounded(message.tensors, MAX_TENSORS, 'tensors').map(({ name, shape, precision }) => ({
      name: shortText(name, 256, 'name'),
      shape: checkedShape(shape),
      precision: PRECISIONS.find((known) => known === precision) ?? wrongPrecision(),
    })),
    examples: safeInteger(message.examples, 0xffff_ffff, 'examples'),
  }),
})

/**
 * An update as bytes, ready to be sealed. Large updates take a while, in which the event loop has its turns.
 * @throws UPDATE_NOT_FINITE, PROTOCOL_FIELD when a tensor is not float32 or has more than 4
 * dimensions
 */
export async function encodeUpdate(
  update: AdapterUpdate,
  precision: Precision,
): Promise<Uint8Array> {
  const breathe = createBreather()
  const tensors: TensorHeader[] = []
  const parts: Uint8Array[] = []
  for (const [name, { shape, data }] of update.delta) {
    if (!(data instanceof Float32Array)) throw fieldError(name, 'float32')
    tensors.push({ name, shape, precision })
    const columns = columnsOf(shape)
    const out = new Uint8Array(encodedBytes(precision, data.length, columns))
    encodeTensor(name, precision, data, columns, out)
    parts.push(out)
    await breathe()
  }
  const header = headerCodec.encode({ tensors, examples: update.examples })
  const length = bytesOf(new Uint32Array([header.length]))
  return concatBytes([MAGIC, length, header, ...parts])
}

/**
 * The update in `bytes`. Whether its names and shapes are those of the adapter in use is the
 * receiver's check.
 * @throws UPDATE_MALFORMED, UPDATE_NOT_FINITE, PROTOCOL_*
 */
export async function decodeUpdate(bytes: Uint8Array): Promise<AdapterUpdate> {
  const breathe = createBreather()
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 8 || MAGIC.some((byte, i) => bytes[i] !== byte)) throw malformed('its head')
  const headerEnd = 8 + view.getUint32(4, true)
  if (headerEnd > bytes.length) throw malformed('the length of its head')
  const { tensors, examples } = headerCodec.decode(bytes.subarray(8, headerEnd))
  const delta = new Map<
    string,
    { dtype: 'float32'; shape: readonly number[]; data: Float32Array }
  >()
  let offset = headerEnd
  for (const { name, shape, precision } of tensors) {
    if (delta.has(name)) throw malformed(`a second ${name}`)
    const elements = elementsOf(shape)
    const columns = columnsOf(shape)
    const end = offset + encodedBytes(precision, elements, columns)
    // Before the numbers are allocated: a head may promise more than was sent.
    if (end > bytes.length) throw malformed(`the length of ${name}`)
    const data = decodeTensor(name, precision, bytes.subarray(offset, end), elements, columns)
    delta.set(name, { dtype: 'float32', shape, data })
    offset = end
    await breathe()
  }
  if (offset !== bytes.length) throw malformed('bytes after its end')
  return { delta, examples }
}

function checkedShape(shape: readonly number[]): readonly number[] {
  if (shape.length > MAX_DIMENSIONS) throw fieldError('shape', `at most ${MAX_DIMENSIONS} long`)
  if (elementsOf(shape) > MAX_ELEMENTS)
    throw fieldError('shape', `at most ${MAX_ELEMENTS} elements`)
  return [...shape]
}

function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1)
}

function columnsOf(shape: readonly number[]): number {
  return shape.at(-1) ?? 1
}

function wrongPrecision(): never {
  throw fieldError('precision', `one of ${PRECISIONS.join(', ')}`)
}

function malformed(what: string): CotuneError {
  return new CotuneError('UPDATE_MALFORMED', `The bytes are not an update: ${what} is wrong.`, {
    hint: 'The device runs another version or is faulty; update both sides.',
    data: { what },
  })
}
