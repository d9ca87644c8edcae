import { closeSync, openSync, readSync } from 'node:fs'
import { CotuneError } from '#base'
import type { Shape, Tensor } from './tensor.ts'

/** Signed integers of 8 or 4 bits with one scale a block of consecutive elements: x = scale q. */
export interface BlockFormat {
  readonly bits: 8 | 4
  /** Elements of a block: a power of two from 16 on. */
  readonly blockSize: number
  /** Rows of a chunk, a multiple of the block size; all of them unless told. See `QuantisedTensor`. */
  readonly chunkRows?: number
}

/** How a frozen weight is stored. */
export type WeightFormat = 'float32' | BlockFormat

/** A piece of a file, little-endian, which a runtime maps into memory instead of reading it. */
export interface FilePiece {
  /** Absolute. */
  readonly path: string
  readonly offset: number
  readonly sizeBytes: number
}

export type Bytes = Uint8Array | FilePiece

/** float32 values in a file, row-major. */
export interface MappedTensor {
  readonly dtype: 'mapped'
  readonly shape: Shape
  readonly data: FilePiece
}

/** A matrix [R, C] cut into blocks along its rows. */
export interface Blocks {
  /**
   * [R, C / blockSize, blockSize bits / 8] unsigned, the zero in the middle (128 or 8); of two values in a byte the
   * first has the low half. The layout of ONNX Runtime's `MatMulNBits`.
   */
  readonly values: Bytes
  /** float32 [R, C / blockSize]. */
  readonly scales: Bytes
}

/**
 * A matrix [R, C] in blocks. A product contracts along blocks: `alongRows` serves x W^T, `alongColumns` (blocks of the
 * transposed matrix, [C, R]) serves x W. With one of them the other product takes the matrix as floats, made anew each time.
 *
 * Rows that are to be read without the others, as a head's are, are stored in chunks: `alongColumns` has the blocks of
 * [C, chunk] for one chunk of rows after the other, the last of what is left.
 */
export interface QuantisedTensor {
  readonly dtype: 'blocks'
  readonly shape: Shape
  readonly format: BlockFormat
  readonly alongRows?: Blocks
  readonly alongColumns?: Blocks
}

/** The values of a frozen weight. */
export type WeightValue = Tensor | MappedTensor | QuantisedTensor

export function isFilePiece(bytes: Bytes): bytes is FilePiece {
  return 'path' in bytes
}

/** The bytes, read from the file if they lie in one. */
export function readBytes(bytes: Bytes): Uint8Array {
  if (!isFilePiece(bytes)) return bytes
  const { path, offset, sizeBytes } = bytes
  const read = new Uint8Array(sizeBytes)
  const file = openSync(path, 'r')
  try {
    for (let done = 0; done < sizeBytes; ) {
      const count = readSync(file, read, done, Math.min(sizeBytes - done, 2 ** 30), offset + done)
      if (count === 0) throw tooShort(path)
      done += count
    }
  } finally {
    closeSync(file)
  }
  return read
}

function tooShort(path: string): CotuneError {
  return new CotuneError(
    'ENGINE_WEIGHTS_CUT',
    `${path} is shorter than it was when it was opened`,
    {
      hint: 'Leave the files of a model alone while it is in use; load the model again.',
      data: { path },
    },
  )
}
