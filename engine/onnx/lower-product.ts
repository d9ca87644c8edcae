import { bytesOf, type Range } from '#base'
import type { Node, NodeOf } from '../node.ts'
import { rowsOf } from '../weight-rows.ts'
import { lowerFloatProduct } from './lower-float-product.ts'
import type { Lowering } from './lowering.ts'
import type { Product } from './product.ts'
import { blocksOf, lowerQuantisedProduct } from './quantised-weights.ts'

/** Adds a product by `right` and returns the name of its value. */
export function lowerProduct(product: Product, right: Node, lowering: Lowering): string {
  const blocks = blocksOf(right, lowering)
  if (blocks) return lowerQuantisedProduct(product, blocks, lowering)
  return lowerFloatProduct(product, lowering.value(right), lowering)
}

/** The same by rows of a frozen matrix: of one in blocks, whole chunks. */
export function lowerProductByRows(
  product: Product,
  { parameters }: NodeOf<'weight'>,
  range: Range,
  lowering: Lowering,
): string {
  const whole = lowering.weights.get(parameters.name)
  if (whole === undefined) throw new RangeError(`no weight "${parameters.name}"`)
  const name = `weight:${parameters.name}:${range}`
  const rows = rowsOf(whole, range)
  if (rows.dtype === 'blocks')
    return lowerQuantisedProduct(product, { name, weight: rows }, lowering)
  const bytes = rows.dtype === 'mapped' ? rows.data : bytesOf(rows.data)
  const right = lowering.once(name, () =>
    lowering.graph.addExternal(name, 'float32', bytes, rows.shape),
  )
  return lowerFloatProduct(product, right, lowering)
}
