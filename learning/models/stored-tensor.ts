import { CotuneError, EXIT, openRegularFile } from '#base'
import type { Tensor } from '#engine'
import { countNotFinite } from './not-finite.ts'
import { readExactly } from './read-exactly.ts'
import { decodeValues, type WeightDtype } from './safetensors.ts'

/** A parameter of a model where it lies on disk: its place, type and shape are checked, its numbers not yet. */
export interface StoredTensor {
  /** The parameter it is, by its Hugging Face name. */
  readonly name: string
  readonly path: string
  /** Of its first byte in the file; a multiple of nothing in particular. */
  readonly byteOffset: number
  readonly byteLength: number
  readonly dtype: WeightDtype
  readonly shape: readonly number[]
  /**
   * All its values as float32.
   *
   * @throws CotuneError MODEL_TENSOR_NOT_FINITE, SAFETENSORS_TRUNCATED, FILE_UNREADABLE
   */
  read(): Promise<Tensor>
  /**
   * Its bytes as they are stored, piece by piece of at most 1 MiB and whole elements. A piece lasts until the next one
   * is asked for. That a value is not finite is thrown after the last piece.
   *
   * @throws CotuneError as `read`
   */
  readPieces(): AsyncGenerator<Uint8Array<ArrayBuffer>>
}

const PIECE_BYTES = 1 << 20

export function createStoredTensor(place: Omit<StoredTensor, 'read' | 'readPieces'>): StoredTensor {
  const { name, dtype, shape, byteLength } = place
  const readPieces = async function* () {
    const found = { infinite: 0, notANumber: 0 }
    for await (const piece of piecesOf(place)) {
      const { infinite, notANumber } = countNotFinite(dtype, piece)
      found.infinite += infinite
      found.notANumber += notANumber
      yield piece
    }
    if (found.infinite + found.notANumber > 0) throw notFinite(name, found)
  }
  const read = async (): Promise<Tensor> => {
    const data = new Float32Array(byteLength / (dtype === 'F32' ? 4 : 2))
    let filled = 0
    for await (const piece of readPieces()) {
      const values = decodeValues(dtype, piece)
      data.set(values, filled)
      filled += values.length
    }
    return { dtype: 'float32', shape, data }
  }
  return { ...place, readPieces, read }
}

async function* piecesOf({
  path,
  byteOffset,
  byteLength,
}: Pick<StoredTensor, 'path' | 'byteOffset' | 'byteLength'>): AsyncGenerator<
  Uint8Array<ArrayBuffer>
> {
  const handle = await openRegularFile(path)
  try {
    const buffer = new Uint8Array(Math.min(PIECE_BYTES, byteLength))
    for (let done = 0; done < byteLength; done += PIECE_BYTES) {
      const piece = buffer.subarray(0, Math.min(PIECE_BYTES, byteLength - done))
      await readExactly(handle, piece, byteOffset + done, path)
      yield piece
    }
  } finally {
    await handle.close()
  }
}

function notFinite(
  name: string,
  { infinite, notANumber }: { readonly infinite: number; readonly notANumber: number },
): CotuneError {
  const [count, kind] = infinite > 0 ? [infinite, 'infinite'] : [notANumber, 'not-a-number']
  return new CotuneError(
    'MODEL_TENSOR_NOT_FINITE',
    `tensor ${name} holds ${count} ${kind} value${count === 1 ? '' : 's'}`,
    {
      hint: 'The checkpoint is damaged or its training diverged: take an earlier one.',
      data: { tensor: name, infinite, notANumber },
      exit: EXIT.data,
    },
  )
}
