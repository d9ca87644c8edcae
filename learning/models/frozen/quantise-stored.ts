import { quantiseRows, turn } from '#engine'
import type { StoredTensor } from '../stored-tensor.ts'
import { rowStrips } from './row-strips.ts'
import type { WeightPlan } from './weight-plan.ts'

/** One direction of a matrix in blocks, whole. */
export interface BlockBytes {
  readonly values: Uint8Array
  readonly scales: Float32Array
}

/**
 * Cuts a stored matrix into blocks, a strip of rows at a time: what is held at once are the blocks, never the floats.
 *
 * @throws CotuneError as reading the tensor
 */
export async function quantiseStored(
  tensor: StoredTensor,
  { format, alongRows, alongColumns }: Extract<WeightPlan, { form: 'blocks' }>,
): Promise<{ readonly rows?: BlockBytes; readonly columns?: BlockBytes }> {
  const [rows, columns] = tensor.shape as [number, number]
  const { bits, blockSize, chunkRows = rows } = format
  const empty = (): BlockBytes => ({
    values: new Uint8Array((rows * columns * bits) / 8),
    scales: new Float32Array((rows * columns) / blockSize),
  })
  const along = {
    rows: alongRows ? empty() : undefined,
    columns: alongColumns ? empty() : undefined,
  }
  const blockBytes = (blockSize * bits) / 8
  let row = 0
  for await (const strip of rowStrips(tensor, blockSize)) {
    const count = strip.length / columns
    if (along.rows) {
      const made = quantiseRows(strip, columns, format)
      along.rows.values.set(made.values, (row * columns * bits) / 8)
      along.rows.scales.set(made.scales, (row * columns) / blockSize)
    }
    if (along.columns) {
      const made = quantiseRows(turn(strip, count, columns), count, format)
      const chunk = row - (row % chunkRows)
      const blocksOfColumn = Math.min(chunkRows, rows - chunk) / blockSize
      const first = (chunk * columns + row - chunk) / blockSize
      for (let column = 0; column < columns; column++) {
        const block = first + column * blocksOfColumn
        const bytes = made.values.subarray(column * blockBytes, (column + 1) * blockBytes)
        along.columns.values.set(bytes, block * blockBytes)
        along.columns.scales[block] = made.scales[column]!
      }
    }
    row += count
  }
  return {
    ...(along.rows ? { rows: along.rows } : {}),
    ...(along.columns ? { columns: along.columns } : {}),
  }
}
