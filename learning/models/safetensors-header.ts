import { CotuneError, EXIT, isObject, readJson, shown, shownJson } from '#base'

/**
 * Bytes an element of each dtype of the safetensors format takes, part of one where several share it; only three dtypes
 * are read as weights.
 */
const ELEMENT_BYTES = new Map<string, number>([
  ['F4', 1 / 2],
  ['F6_E2M3', 3 / 4],
  ['F6_E3M2', 3 / 4],
  ['BOOL', 1],
  ['U8', 1],
  ['I8', 1],
  ['F8_E5M2', 1],
  ['F8_E4M3', 1],
  ['F8_E8M0', 1],
  ['F8_E5M2FNUZ', 1],
  ['F8_E4M3FNUZ', 1],
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
  ['C64', 8],
])

/** One tensor as the header describes it, its offsets checked against the file and its shape. */
export interface TensorEntry {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly number[]
  /** First byte, counted from the end of the header. */
  readonly begin: number
  readonly end: number
}

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
): readonly TensorEntry[] {
  const tensors: TensorEntry[] = []
  for (const [name, value] of parseEntries(header, file)) {
    if (name === '__metadata__') checkMetadata(value, file)
    else tensors.push(parseTensor(name, value, file))
  }
  checkLayout(tensors, dataBytes, file)
  return tensors
}

function parseEntries(header: Uint8Array, file: string): [string, unknown][] {
  const reading = readJson(header)
  if (!('value' in reading)) {
    const { problem, repeatedKey, cause } = reading
    if (repeatedKey === undefined)
      throw headerError(file, `the safetensors header ${problem}`, cause)
    throw new CotuneError(
      'SAFETENSORS_TENSOR_REPEATED',
      `${file}: the header names ${shown(repeatedKey)} twice`,
      { hint: REWRITE_HINT, data: { file, tensor: shown(repeatedKey) }, exit: EXIT.data },
    )
  }
  if (!isObject(reading.value) || header[0] !== 0x7b)
    throw headerError(file, 'the safetensors header is not a JSON object')
  return Object.entries(reading.value)
}

function checkMetadata(value: unknown, file: string): void {
  if (isObject(value) && Object.values(value).every((text) => typeof text === 'string')) return
  throw headerError(file, '__metadata__ is not a map of strings')
}

function parseTensor(stored: string, value: unknown, file: string): TensorEntry {
  const name = shown(stored)
  const { dtype, shape, data_offsets: offsets } = isObject(value) ? value : {}
  if (typeof dtype !== 'string' || !isNumbers(shape) || !isNumbers(offsets) || offsets.length !== 2)
    throw headerError(file, `tensor ${name} has no valid dtype, shape and data_offsets`)
  const elementBytes = ELEMENT_BYTES.get(dtype)
  if (elementBytes === undefined)
    throw new CotuneError(
      'SAFETENSORS_DTYPE_UNKNOWN',
      `${file}: tensor ${name} has unknown dtype ${shownJson(dtype)}`,
      { hint: REWRITE_HINT, data: { file, tensor: name, dtype: shown(dtype) }, exit: EXIT.data },
    )
  const elements = shape.reduce((product, size) => product * size, 1)
  if (!shape.every((size) => isSafe(size) && size >= 0) || !isSafe(elements))
    throw new CotuneError(
      'SAFETENSORS_SHAPE_INVALID',
      `${file}: tensor ${name} has an invalid shape ${shownJson(shape)}`,
      {
        hint: REWRITE_HINT,
        data: { file, tensor: name, shape: shownJson(shape) },
        exit: EXIT.data,
      },
    )
  const [begin, end] = offsets as [number, number]
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
      `${file}: tensor ${name} of shape ${shownJson(shape)} and dtype ${dtype} needs ${bytes} bytes, ` +
        `its data_offsets span ${end - begin}`,
      { hint: REWRITE_HINT, data: { file, tensor: name }, exit: EXIT.data },
    )
  return { name: stored, dtype, shape, begin, end }
}

function checkLayout(tensors: TensorEntry[], dataBytes: number, file: string): void {
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let position = 0
  for (const { name: stored, begin, end } of tensors) {
    const name = shown(stored)
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

function isNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'number')
}

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
