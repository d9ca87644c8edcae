import { CotuneError } from '#base'
import { FLOAT16_MAX, fromFloat16, toFloat16 } from './float16.ts'

/**
 * How numbers travel. `int8`: 4x smaller than float32, with one scale a row; `float16`: 2x;
 * `float32`: exact.
 */
export type Precision = 'int8' | 'float16' | 'float32'

export const PRECISIONS: readonly Precision[] = ['int8', 'float16', 'float32']

/** Bytes of `elements` numbers in rows of `columns`. */
export function encodedBytes(precision: Precision, elements: number, columns: number): number {
  if (precision === 'float32') return 4 * elements
  if (precision === 'float16') return 2 * elements
  return elements + 4 * rowsOf(elements, columns)
}

/** Writes `values` into `out`, which has exactly the bytes they need. @throws UPDATE_NOT_FINITE */
export function encodeTensor(
  name: string,
  precision: Precision,
  values: Float32Array,
  columns: number,
  out: Uint8Array,
): void {
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength)
  if (precision === 'int8') {
    encodeInt8(name, values, columns, view)
    return
  }
  const limit = precision === 'float16' ? FLOAT16_MAX : Number.MAX_VALUE
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (!(Math.abs(value) <= limit)) throw notFinite(name)
    if (precision === 'float16') view.setUint16(2 * i, toFloat16(value), true)
    else view.setFloat32(4 * i, value, true)
  }
}

/** Reads `elements` numbers. @throws UPDATE_NOT_FINITE when one is not a number, or infinite */
export function decodeTensor(
  name: string,
  precision: Precision,
  bytes: Uint8Array,
  elements: number,
  columns: number,
): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const values = new Float32Array(elements)
  if (precision === 'int8') {
    decodeInt8(name, view, values, columns)
    return values
  }
  for (let i = 0; i < elements; i++) {
    const value =
      precision === 'float16'
        ? fromFloat16(view.getUint16(2 * i, true))
        : view.getFloat32(4 * i, true)
    if (!Number.isFinite(value)) throw notFinite(name)
    values[i] = value
  }
  return values
}

function encodeInt8(name: string, values: Float32Array, columns: number, view: DataView): void {
  const rows = rowsOf(values.length, columns)
  for (let row = 0; row < rows; row++) {
    const slice = values.subarray(row * columns, (row + 1) * columns)
    let largest = 0
    for (let column = 0; column < slice.length; column++) {
      const value = slice[column]!
      if (!Number.isFinite(value)) throw notFinite(name)
      largest = Math.max(largest, Math.abs(value))
    }
    view.setFloat32(4 * row, largest / 127, true)
    // The scale as the receiver will read it, so that both multiply by the same number.
    const scale = view.getFloat32(4 * row, true)
    for (let column = 0; column < slice.length; column++) {
      const step = scale === 0 ? 0 : Math.round(slice[column]! / scale)
      view.setInt8(4 * rows + row * columns + column, Math.max(-127, Math.min(127, step)))
    }
  }
}

function decodeInt8(name: string, view: DataView, values: Float32Array, columns: number): void {
  const rows = rowsOf(values.length, columns)
  for (let row = 0; row < rows; row++) {
    const scale = view.getFloat32(4 * row, true)
    if (!Number.isFinite(scale * 128) || scale < 0) throw notFinite(name)
    for (let i = row * columns; i < (row + 1) * columns; i++) {
      const value = Math.fround(scale * view.getInt8(4 * rows + i))
      if (!Number.isFinite(value)) throw notFinite(name)
      values[i] = value
    }
  }
}

function rowsOf(elements: number, columns: number): number {
  return columns === 0 ? 0 : elements / columns
}

function notFinite(name: string): CotuneError {
  return new CotuneError('UPDATE_NOT_FINITE', `The tensor ${name} holds what is no number.`, {
    hint: 'Training has diverged on that device: lower its learning rate.',
    data: { tensor: name },
  })
}
