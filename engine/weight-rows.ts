import { cut, type Range } from '#base'
import {
  type Blocks,
  type Bytes,
  type FilePiece,
  isFilePiece,
  type QuantisedTensor,
  type WeightValue,
} from './weights.ts'

/** Rows of a matrix, a view of its memory or of its file. Of one in blocks they are whole chunks. */
export function rowsOf(weight: QuantisedTensor, range: Range): QuantisedTensor
export function rowsOf(weight: WeightValue, range: Range): WeightValue
export function rowsOf(weight: WeightValue, range: Range): WeightValue {
  const [start, end] = range
  const [rows, columns] = weight.shape as [number, number]
  const shape = [end - start, columns]
  if (weight.dtype === 'mapped')
    return { ...weight, shape, data: partOfFile(weight.data, range, rows) }
  if (weight.dtype !== 'blocks')
    return { ...weight, shape, data: weight.data.subarray(start * columns, end * columns) }
  const blocks = ({ values, scales }: Blocks): Blocks => ({
    values: partOf(values, range, rows),
    scales: partOf(scales, range, rows),
  })
  return {
    ...weight,
    shape,
    ...(weight.alongRows ? { alongRows: blocks(weight.alongRows) } : {}),
    ...(weight.alongColumns ? { alongColumns: blocks(weight.alongColumns) } : {}),
  }
}

/** The rows of each chunk of a matrix in blocks. */
export function chunksOf({
  shape: [rows = 0],
  format: { chunkRows = rows },
}: Pick<QuantisedTensor, 'shape' | 'format'>): readonly Range[] {
  return cut(rows, chunkRows)
}

/** Every row has its share of the bytes, and rows lie one after the other. */
function partOf(bytes: Bytes, range: Range, rows: number): Bytes {
  if (isFilePiece(bytes)) return partOfFile(bytes, range, rows)
  const [from, to] = range.map((row) => (bytes.length * row) / rows)
  return bytes.subarray(from, to)
}

function partOfFile(piece: FilePiece, [start, end]: Range, rows: number): FilePiece {
  const [from, to] = [start, end].map((row) => (piece.sizeBytes * row) / rows) as [number, number]
  return { path: piece.path, offset: piece.offset + from, sizeBytes: to - from }
}
