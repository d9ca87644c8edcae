import { decodeValues } from '../safetensors.ts'
import type { StoredTensor } from '../stored-tensor.ts'

/**
 * A matrix as float32, `rows` rows at a time (the last strip may be shorter), whatever the pieces it is read in.
 * A strip lasts until the next one is asked for.
 */
export async function* rowStrips(tensor: StoredTensor, rows: number): AsyncGenerator<Float32Array> {
  const columns = tensor.shape[1] ?? 1
  const strip = new Float32Array(rows * columns)
  let filled = 0
  for await (const piece of tensor.readPieces()) {
    let values = decodeValues(tensor.dtype, piece)
    while (values.length > 0) {
      const part = values.subarray(0, strip.length - filled)
      strip.set(part, filled)
      filled += part.length
      values = values.subarray(part.length)
      if (filled === strip.length) {
        yield strip
        filled = 0
      }
    }
  }
  if (filled > 0) yield strip.subarray(0, filled)
}
