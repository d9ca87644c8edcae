import type { Node } from '../node.ts'
import { type Shape, sizeOf } from '../tensor.ts'
import type { BlockFormat, Blocks, QuantisedTensor } from '../weights.ts'
import { type Lowering, MICROSOFT } from './lowering.ts'
import type { Product } from './product.ts'

/** Products on 8-bit integers, accumulated in 32 bits: ONNX Runtime's kernels for it are the fast ones. */
const INT8_ACCURACY = 4

/** The blocks of a weight that is stored so; undefined for every other node. */
export function blocksOf(node: Node, lowering: Lowering): QuantisedTensor | undefined {
  if (node.operator !== 'weight' || node.parameters.format === 'float32') return undefined
  return lowering.weights.get(node.parameters.name) as QuantisedTensor | undefined
}

/** x W or x W^T for W in blocks. */
export function lowerQuantisedProduct(
  product: Product,
  weight: QuantisedTensor,
  lowering: Lowering,
): string {
  const { node, left, right, transposeA, transposeB, scale, suffix = '' } = product
  const along = transposeB ? 'alongRows' : 'alongColumns'
  const blocks = weight[along]
  if (blocks === undefined || transposeA) {
    const { value, transposed } = floats(node, right, weight, lowering, suffix)
    const transB = transposeB === transposed ? 0 : 1
    return lowering.emit(node, 'FusedMatMul', {
      inputs: [left, value],
      domain: MICROSOFT,
      attributes: { transA: transposeA ? 1 : 0, transB, alpha: { float: scale } },
      suffix,
    })
  }
  const [rows, columns] = weight.shape as [number, number]
  const [n, k] = transposeB ? [rows, columns] : [columns, rows]
  const { bits, blockSize } = weight.format
  const unscaled = lowering.emit(node, 'MatMulNBits', {
    inputs: [left, ...packedBlocks(right, along, blocks, [n, k], weight.format, lowering)],
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

/** Rows of a weight in blocks, as floats. */
export function lowerQuantisedGather(
  gather: {
    readonly node: Node
    readonly table: Node
    readonly ids: string
    readonly suffix?: string
  },
  weight: QuantisedTensor,
  lowering: Lowering,
): string {
  const { node, table: w, ids, suffix = '' } = gather
  const [rows, columns] = weight.shape as [number, number]
  const { bits, blockSize } = weight.format
  if (weight.alongRows === undefined)
    return lowering.emit(node, 'Gather', { inputs: [lowering.value(w), ids], suffix })
  const bytes = (columns * bits) / 8
  const values = lowering.once(`${nameOf(w)}:rows`, () =>
    lowering.graph.addExternal(`${nameOf(w)}:rows`, 'uint8', weight.alongRows!.values, [
      rows,
      bytes,
    ]),
  )
  return lowering.emit(node, 'GatherBlockQuantized', {
    inputs: [
      values,
      ids,
      scalesOf(w, 'alongRows', weight.alongRows, [rows, columns / blockSize], lowering),
    ],
    domain: MICROSOFT,
    attributes: { gather_axis: 0, quantize_axis: 1, block_size: blockSize, bits },
    suffix,
  })
}

/** The whole matrix as floats [R, C]. */
export function dequantised(node: Node, weight: QuantisedTensor, lowering: Lowering): string {
  const { value, transposed } = floats(node, node, weight, lowering)
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
  w: Node,
  weight: QuantisedTensor,
  lowering: Lowering,
  suffix = '',
): { readonly value: string; readonly transposed: boolean } {
  const transposed = weight.alongRows === undefined
  const along = transposed ? 'alongColumns' : 'alongRows'
  const blocks = weight[along]!
  const [rows, columns] = weight.shape as [number, number]
  const shape = transposed ? [columns, rows] : [rows, columns]
  const { bits, blockSize } = weight.format
  const grid = [shape[0]!, shape[1]! / blockSize]
  const type = bits === 8 ? 'uint8' : 'uint4'
  const name = `${nameOf(w)}:${along}`
  const values = lowering.once(`${name}:${type}`, () =>
    lowering.graph.addExternal(`${name}:${type}`, type, blocks.values, shape),
  )
  const zeroPoints = lowering.once(`zeroPoints:${bits}:${grid}`, () => {
    const bytes = new Uint8Array(Math.ceil((sizeOf(grid) * bits) / 8)).fill(bits === 8 ? 128 : 0x88)
    return lowering.graph.addExternal(`zeroPoints:${bits}:${grid}`, type, bytes, grid)
  })
  const value = lowering.emit(reader, 'DequantizeLinear', {
    inputs: [values, scalesOf(w, along, blocks, grid, lowering), zeroPoints],
    attributes: { axis: 1, block_size: blockSize },
    suffix: `${suffix}_floats`,
  })
  return { value, transposed }
}

function packedBlocks(
  w: Node,
  along: string,
  blocks: Blocks,
  [n, k]: readonly [number, number],
  { bits, blockSize }: BlockFormat,
  lowering: Lowering,
): readonly string[] {
  const name = `${nameOf(w)}:${along}`
  const grid = [n, k / blockSize]
  const values = lowering.once(`${name}:packed`, () =>
    lowering.graph.addExternal(`${name}:packed`, 'uint8', blocks.values, [
      ...grid,
      (blockSize * bits) / 8,
    ]),
  )
  return [values, scalesOf(w, along, blocks, grid, lowering)]
}

function scalesOf(w: Node, along: string, blocks: Blocks, grid: Shape, lowering: Lowering): string {
  const name = `${nameOf(w)}:${along}:scales`
  return lowering.once(name, () => lowering.graph.addExternal(name, 'float32', blocks.scales, grid))
}

function nameOf(w: Node): string {
  return w.operator === 'weight' ? `weight:${w.parameters.name}` : `%${w.id}`
}
