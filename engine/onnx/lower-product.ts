import { type Lowering, MICROSOFT } from './lowering.ts'
import type { Product } from './product.ts'
import { blocksOf, lowerQuantisedProduct } from './quantised-weights.ts'

/** Adds a product and returns the name of its value. */
export function lowerProduct(product: Product, lowering: Lowering): string {
  const blocks = blocksOf(product.right, lowering)
  if (blocks) return lowerQuantisedProduct(product, blocks, lowering)
  return lowerFloatProduct(product, lowering.value(product.right), lowering)
}

/** The same by the floats called `right`. */
export function lowerFloatProduct(
  { node, left, transposeA, transposeB, scale, suffix = '' }: Omit<Product, 'right'>,
  right: string,
  lowering: Lowering,
): string {
  const inputs = [left, right]
  if (!transposeA && !transposeB && scale === 1)
    return lowering.emit(node, 'MatMul', { inputs, suffix })
  return lowering.emit(node, 'FusedMatMul', {
    inputs,
    domain: MICROSOFT,
    attributes: {
      transA: transposeA ? 1 : 0,
      transB: transposeB ? 1 : 0,
      alpha: { float: scale },
    },
    suffix,
  })
}
