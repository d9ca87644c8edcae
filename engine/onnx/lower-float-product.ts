import { type Lowering, MICROSOFT } from './lowering.ts'
import type { Product } from './product.ts'

/** Adds a product by the floats called `right` and returns the name of its value. */
export function lowerFloatProduct(
  { node, left, transposeA, transposeB, scale, suffix = '' }: Product,
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
