import type { Range } from '#base'
import type { Node } from '../node.ts'
import { type Shape, sizeOf } from '../tensor.ts'
import { chunksOf, rowsOf } from '../weight-rows.ts'
import type { Blocks, QuantisedTensor } from '../weights.ts'
import { lowerFloatProduct } from './lower-float-product.ts'
import { type Lowering, MICROSOFT } from './lowering.ts'
import type { Product } from './product.ts'

/** Products on 8-bit integers, accumulated in 32 bits: ONNX Runtime's kernels for it are the fast ones. */
const INT8_ACCURACY = 4

/** A weight in blocks, or rows of one, and what the names of its values begin with. */
export interface NamedBlocks {
  readonly name: string
  readonly weight: QuantisedTensor
}

/** Rows of a table to be written for `node`. */
interface Gathering {
  readonly node: Node
  readonly table: Node
  /** The value of the ids. */
  readonly ids: string
  readonly suffix?: string
}

/** The blocks of a weight that is stored so; undefined for every other node. */
export function blocksOf(node: Node, lowering: Lowering): NamedBlocks | undefined {
  if (node.operator !== 'weight') return undefined
  const { name } = node.parameters
  const weight = lowering.weights.get(name)
  return weight?.dtype === 'blocks' ? { name: `weight:${name}`, weight } : undefined
}

/** x W or x W^T for W in blocks. */
export function lowerQuantisedProduct(
  product: Product,
  w: NamedBlocks,
  lowering: Lowering,
): string {
  const { node, left, transposeA, transposeB, scale, suffix = '' } = product
  const along = transposeB ? 'alongRows' : 'alongColumns'
  const blocks = w.weight[along]
  if (blocks === undefined || transposeA) {
    const { value, transposed } = floats(node, w, lowering, suffix)
    const turned = transposeB !== transposed
    return lowerFloatProduct({ ...product, transposeB: turned }, value, lowering)
  }
  const chunks = namedChunks(w)
  if (!transposeB && chunks.length > 1) return productByChunks(product, chunks, lowering)
  const [rows, columns] = w.weight.shape as [number, number]
  const [n, k] = transposeB ? [rows, columns] : [columns, rows]
  const { bits, blockSize } = w.weight.format
  const grid = [n, k / blockSize]
  const name = `${w.name}:${along}`
  const values = lowering.once(`${name}:packed`, () =>
    lowering.graph.addExternal(`${name}:packed`, 'uint8', blocks.values, [
      ...grid,
      (blockSize * bits) / 8,
    ]),
  )
  const unscaled = lowering.emit(node, 'MatMulNBits', {
    inputs: [left, values, scalesOf(name, blocks, grid, lowering)],
    domain: MICROSOFT,
    attributes: { K: k, N: n, bits, block_size: blockSize, accuracy_level: INT8_ACCURACY },
    suffix: scale === 1 ? suffix : `${suffix}_unscaled`,
  })
  if (scale === 1) return unscaled
  const factor = lowering.graph.addInitializer(
    `scale_${node.id}${suffix}`,
    Float32Array.of(scale),
    [],
  )
  return lowering.emit(node, 'Mul', { inputs: [unscaled, factor], suffix })
}

/** x W: what the chunks of W give for their columns of x, added up. */
function productByChunks(
  product: Product,
  chunks: readonly NamedChunk[],
  lowering: Lowering,
): string {
  const { node, left, suffix = '' } = product
  const inputs = chunks.map((chunk) => {
    const [start, end] = chunk.range
    const at = `${suffix}_from_${start}`
    const bounds = [start, end, -1].map((bound) => lowering.graph.integers([bound]))
    const columns = lowering.emit(node, 'Slice', { inputs: [left, ...bounds], suffix: `${at}_x` })
    return lowerQuantisedProduct({ ...product, left: columns, suffix: at }, chunk, lowering)
  })
  return lowering.emit(node, 'Sum', { inputs, suffix })
}

/** table[ids] for `node`: rows of floats, whatever the table is stored as. */
export function lowerGather(
  { node, table, ids, suffix = '' }: Gathering,
  lowering: Lowering,
): string {
  const { name, weight } = blocksOf(table, lowering) ?? {}
  const alongRows = weight?.alongRows
  if (weight === undefined || alongRows === undefined)
    return lowering.emit(node, 'Gather', { inputs: [lowering.value(table), ids], suffix })
  const [rows, columns] = weight.shape as [number, number]
  const { bits, blockSize } = weight.format
  const values = lowering.once(`${name}:rows`, () =>
    lowering.graph.addExternal(`${name}:rows`, 'uint8', alongRows.values, [
      rows,
      (columns * bits) / 8,
    ]),
  )
  const scales = scalesOf(`${name}:alongRows`, alongRows, [rows, columns / blockSize], lowering)
  return lowering.emit(node, 'GatherBlockQuantized', {
    inputs: [values, ids, scales],
    domain: MICROSOFT,
    attributes: { gather_axis: 0, quantize_axis: 1, block_size: blockSize, bits },
    suffix,
  })
}

/** The whole of a weight in blocks as floats [R, C]. */
export function dequantised(node: Node, w: NamedBlocks, lowering: Lowering): string {
  const { value, transposed } = floats(node, w, lowering)
  if (!transposed) return value
  return lowering.emit(node, 'Transpose', {
    inputs: [value],
    attributes: { perm: [1, 0] },
    suffix: '_turned',
  })
}

/** The matrix as floats for one reader, as its blocks lie: nobody keeps it, so that it need not stay in memory. */
function floats(
  reader: Node,
  w: NamedBlocks,
  lowering: Lowering,
  suffix = '',
): { readonly value: string; readonly transposed: boolean } {
  const transposed = w.weight.alongRows === undefined
  const chunks = namedChunks(w)
  if (transposed && chunks.length > 1) {
    const inputs = chunks.map(
      (chunk) => floats(reader, chunk, lowering, `${suffix}_from_${chunk.range[0]}`).value,
    )
    const init = { inputs, attributes: { axis: 1 }, suffix: `${suffix}_floats` }
    return { value: lowering.emit(reader, 'Concat', init), transposed }
  }
  const along = transposed ? 'alongColumns' : 'alongRows'
  const blocks = w.weight[along]!
  const [rows, columns] = w.weight.shape as [number, number]
  const shape = transposed ? [columns, rows] : [rows, columns]
  const { bits, blockSize } = w.weight.format
  const grid = [shape[0]!, shape[1]! / blockSize]
  const type = bits === 8 ? 'uint8' : 'uint4'
  const name = `${w.name}:${along}`
  const values = lowering.once(`${name}:${type}`, () =>
    lowering.graph.addExternal(`${name}:${type}`, type, blocks.values, shape),
  )
  const zeroPoints = lowering.once(`zeroPoints:${bits}:${grid}`, () => {
    const bytes = new Uint8Array(Math.ceil((sizeOf(grid) * bits) / 8)).fill(bits === 8 ? 128 : 0x88)
    return lowering.graph.addExternal(`zeroPoints:${bits}:${grid}`, type, bytes, grid)
  })
  const value = lowering.emit(reader, 'DequantizeLinear', {
    inputs: [values, scalesOf(name, blocks, grid, lowering), zeroPoints],
    attributes: { axis: 1, block_size: blockSize },
    suffix: `${suffix}_floats`,
  })
  return { value, transposed }
}

interface NamedChunk extends NamedBlocks {
  readonly range: Range
}

function namedChunks({ name, weight }: NamedBlocks): readonly NamedChunk[] {
  return chunksOf(weight).map((range) => ({
    name: `${name}:${range}`,
    weight: rowsOf(weight, range),
    range,
  }))
}

function scalesOf(name: string, blocks: Blocks, grid: Shape, lowering: Lowering): string {
  return lowering.once(`${name}:scales`, () =>
    lowering.graph.addExternal(`${name}:scales`, 'float32', blocks.scales, grid),
  )
}
