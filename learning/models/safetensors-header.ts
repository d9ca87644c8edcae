import { z } from 'zod'
import { CotuneError, EXIT } from '#base'
import { repeatedKey } from './repeated-key.ts'

/** Bytes an element of each dtype of the safetensors format takes; only three of them are read as weights. */
const ELEMENT_BYTES = new Map<string, number>([
  ['BOOL', 1],
  ['U8', 1],
  ['I8', 1],
  ['F8_E5M2', 1],
  ['F8_E4M3', 1],
  ['I16', 2],
  ['U16', 2],
  ['F16', 2],
  ['BF16', 2],
  ['I32', 4],
  ['U32', 4],
  ['F32', 4],
  ['F64', 8],
  ['I64', 8],
  ['U64', 8],
])

/** One tensor as the header describes it, its offsets checked against the file and its shape. */
export interface StoredTensor {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly number[]
  /** First byte, counted from the end of the header. */
  readonly begin: number
  readonly end: number
}

export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, StoredTensor>
  readonly metadata: ReadonlyMap<string, string>
}

const entrySchema = z.object({
  dtype: z.string(),
  shape: z.array(z.number()),
  data_offsets: z.tuple([z.number(), z.number()]),
})

/**
 * Parses and checks a safetensors header: every tensor's dtype, shape and place, and that tensors neither overlap
 * nor leave holes nor end past the file.
 * Follows the format's text at https://github.com/huggingface/safetensors and its reference implementation.
 *
 * @param header the JSON bytes
 * @param dataBytes how many bytes follow the header
 * @throws CotuneError with a code SAFETENSORS_*
 */
export function parseSafetensorsHeader(
  header: Uint8Array,
  dataBytes: number,
  file: string,
): SafetensorsHeader {
  const entries = parseEntries(header, file)
  const tensors = new Map<string, StoredTensor>()
  const metadata = new Map<string, string>()
  for (const [name, value] of entries) {
    if (name === '__metadata__') {
      for (const [key, text] of Object.entries(value ?? {})) metadata.set(key, String(text))
    } else tensors.set(name, parseTensor(name, value, file))
  }
  checkLayout([...tensors.values()], dataBytes, file)
  return { tensors, metadata }
}

function parseEntries(header: Uint8Array, file: string): [string, unknown][] {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(header)
  } catch (cause) {
    throw headerError(file, 'the safetensors header is not valid UTF-8', cause)
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (cause) {
    throw headerError(file, 'the safetensors header is not valid JSON', cause)
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw headerError(file, 'the safetensors header is not a JSON object')
  const repeated = repeatedKey(text)
  if (repeated !== undefined)
    throw new CotuneError(
      'SAFETENSORS_TENSOR_REPEATED',
      `${file}: the header names ${repeated} twice`,
      { hint: REWRITE_HINT, data: { file, tensor: repeated }, exit: EXIT.data },
    )
  return Object.entries(parsed)
}

function parseTensor(name: string, value: unknown, file: string): StoredTensor {
  const entry = entrySchema.safeParse(value)
  if (!entry.success)
    throw headerError(file, `tensor ${name} has no valid dtype, shape and data_offsets`)
  const { dtype, shape, data_offsets: offsets } = entry.data
  const elementBytes = ELEMENT_BYTES.get(dtype)
  if (elementBytes === undefined)
    throw new CotuneError(
      'SAFETENSORS_DTYPE_UNKNOWN',
      `${file}: tensor ${name} has unknown dtype "${dtype}"`,
      { hint: REWRITE_HINT, data: { file, tensor: name, dtype }, exit: EXIT.data },
    )
  const elements = shape.reduce((product, size) => product * size, 1)
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0) || !isSafe(elements))
    throw new CotuneError(
      'SAFETENSORS_SHAPE_INVALID',
      `${file}: tensor ${name} has an invalid shape ${JSON.stringify(shape)}`,
      { hint: REWRITE_HINT, data: { file, tensor: name, shape }, exit: EXIT.data },
    )
  const [begin, end] = offsets
  if (begin < 0 || end < 0)
    throw offsetError(file, name, `tensor ${name} has a negative data offset`)
  if (!isSafe(begin) || !isSafe(end))
    throw offsetError(file, name, `tensor ${name} has a data offset that is no integer`)
  if (begin > end)
    throw offsetError(file, name, `tensor ${name} has data_offsets whose begin is after its end`)
  const bytes = elements * elementBytes
  if (bytes !== end - begin)
    throw new CotuneError(
      'SAFETENSORS_SIZE_MISMATCH',
      `${file}: tensor ${name} of shape ${JSON.stringify(shape)} and dtype ${dtype} needs ${bytes} bytes, ` +
        `its data_offsets span ${end - begin}`,
      { hint: REWRITE_HINT, data: { file, tensor: name }, exit: EXIT.data },
    )
  return { name, dtype, shape, begin, end }
}

function checkLayout(tensors: StoredTensor[], dataBytes: number, file: string): void {
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let position = 0
  for (const { name, begin, end } of tensors) {
    if (begin < position)
      throw offsetError(file, name, `tensor ${name} overlaps the tensor before it in the file`)
    if (begin > position)
      throw offsetError(
        file,
        name,
        `${begin - position} bytes before tensor ${name} belong to no tensor`,
      )
    position = end
  }
  if (position > dataBytes)
    throw new CotuneError(
      'SAFETENSORS_TRUNCATED',
      `${file} is truncated: the header needs ${position} bytes of tensor data, the file has ${dataBytes}`,
      { hint: 'Download the file again.', data: { file, needed: position }, exit: EXIT.data },
    )
  if (position < dataBytes)
    throw headerError(file, `${dataBytes - position} bytes at the end belong to no tensor`)
}

const REWRITE_HINT =
  'The file is damaged or was written by a faulty tool: download it again or export it anew.'

const isSafe = (value: number) => Number.isSafeInteger(value)

function headerError(file: string, message: string, cause?: unknown): CotuneError {
  return new CotuneError('SAFETENSORS_HEADER_INVALID', `${file}: ${message}`, {
    hint: REWRITE_HINT,
    data: { file },
    exit: EXIT.data,
    ...(cause === undefined ? {} : { cause }),
  })
}

function offsetError(file: string, tensor: string, message: string): CotuneError {
  return new CotuneError('SAFETENSORS_OFFSETS_INVALID', `${file}: ${message}`, {
    hint: REWRITE_HINT,
    data: { file, tensor },
    exit: EXIT.data,
  })
}
