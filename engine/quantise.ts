import { bytesOf, concatBytes, type Range } from '#base'
import { type Tensor, tensor } from './tensor.ts'
import { chunksOf, rowsOf } from './weight-rows.ts'
import {
  type BlockFormat,
  type Blocks,
  type QuantisedTensor,
  readBytes,
  type WeightValue,
} from './weights.ts'

/**
 * Rounds a matrix to blocks along its rows. With 8 bits the largest of a block becomes 127; with 4 the element of
 * largest magnitude becomes -8, whatever its sign, which uses the whole range (as llama.cpp's Q4_0 does).
 *
 * @param values [rows, columns], columns a multiple of the block size
 */
export function quantiseRows(
  values: Float32Array,
  columns: number,
  { bits, blockSize }: BlockFormat,
): { readonly values: Uint8Array; readonly scales: Float32Array } {
  const blocks = values.length / blockSize
  const scales = new Float32Array(blocks)
  const packed = new Uint8Array((values.length * bits) / 8)
  if (columns % blockSize !== 0)
    throw new RangeError(`${columns} columns in blocks of ${blockSize}`)
  for (let block = 0; block < blocks; block++) {
    const start = block * blockSize
    let extreme = 0
    for (let i = start; i < start + blockSize; i++)
      if (Math.abs(values[i]!) > Math.abs(extreme)) extreme = values[i]!
    const scale = Math.fround(bits === 8 ? Math.abs(extreme) / 127 : extreme / -8)
    scales[block] = scale
    const inverse = scale === 0 ? 0 : 1 / scale
    if (bits === 8)
      for (let i = start; i < start + blockSize; i++)
        packed[i] = Math.round(values[i]! * inverse) + 128
    else
      for (let i = start; i < start + blockSize; i += 2)
        packed[i / 2] = nibble(values[i]! * inverse) | (nibble(values[i + 1]! * inverse) << 4)
  }
  return { values: packed, scales }
}

/** A matrix [R, C] in blocks, along its rows unless told; the length of a block divides the axis it lies along. */
export function quantise(
  { data, shape }: Tensor,
  format: BlockFormat,
  along: { readonly alongRows?: boolean; readonly alongColumns?: boolean } = { alongRows: true },
): QuantisedTensor {
  const columns = shape[1]!
  const values = data as Float32Array
  const turned = ([start, end]: Range) => {
    const chunk = values.subarray(start * columns, end * columns)
    return quantiseRows(turn(chunk, end - start, columns), end - start, format)
  }
  return {
    dtype: 'blocks',
    shape,
    format,
    ...(along.alongRows ? { alongRows: joined([quantiseRows(values, columns, format)]) } : {}),
    ...(along.alongColumns
      ? { alongColumns: joined(chunksOf({ shape, format }).map(turned)) }
      : {}),
  }
}

function joined(parts: readonly ReturnType<typeof quantiseRows>[]): Blocks {
  return {
    values: concatBytes(parts.map(({ values }) => values)),
    scales: concatBytes(parts.map(({ scales }) => bytesOf(scales))),
  }
}

/** The values as floats in memory, wherever and however they are stored. */
export function inMemory(weight: WeightValue): Tensor {
  if (weight.dtype === 'blocks') return dequantise(weight)
  if (weight.dtype !== 'mapped') return weight
  return tensor(new Float32Array(readBytes(weight.data).buffer), weight.shape)
}

/** All of them as floats in memory. */
export function allInMemory(
  weights: ReadonlyMap<string, WeightValue>,
): ReadonlyMap<string, Tensor> {
  return new Map([...weights].map(([name, value]) => [name, inMemory(value)]))
}

/** The matrix that blocks stand for: what every product by it is held against. */
function dequantise(weight: QuantisedTensor): Tensor {
  const [rows, columns] = weight.shape as [number, number]
  if (weight.alongRows)
    return tensor(dequantiseRows(weight.alongRows, weight.format), [rows, columns])
  const values = new Float32Array(rows * columns)
  for (const range of chunksOf(weight)) {
    const [start, end] = range
    const turned = dequantiseRows(rowsOf(weight, range).alongColumns!, weight.format)
    values.set(turn(turned, columns, end - start), start * columns)
  }
  return tensor(values, [rows, columns])
}

/** [R, C] -> [C, R]. */
export function turn(values: Float32Array, rows: number, columns: number): Float32Array {
  const turned = new Float32Array(values.length)
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      turned[column * rows + row] = values[row * columns + column]!
  return turned
}

function dequantiseRows(blocks: Blocks, { bits, blockSize }: BlockFormat): Float32Array {
  const packed = readBytes(blocks.values)
  const bytes = readBytes(blocks.scales)
  const scales = new Float32Array(bytes.slice().buffer)
  const values = new Float32Array((packed.length * 8) / bits)
  for (let i = 0; i < values.length; i++) {
    const q = bits === 8 ? packed[i]! - 128 : ((packed[i >> 1]! >> ((i & 1) * 4)) & 15) - 8
    values[i] = q * scales[Math.floor(i / blockSize)]!
  }
  return values
}

function nibble(x: number): number {
  return Math.min(15, Math.round(x) + 8)
}
