import type { Node } from '../node.ts'
import type { Lowering } from './lowering.ts'
import { blocksOf, lowerQuantisedProduct } from './quantised-weights.ts'

/** A matrix product to be written for `node`. */
export interface Product {
  readonly node: Node
  /** The value of the left operand. */
  readonly left: string
  readonly right: Node
  readonly transposeA: boolean
  readonly transposeB: boolean
  readonly scale: number
  /** Keeps several products of one node apart. */
  readonly suffix?: string
}

/** Adds a product and returns the name of its value. */
export function lowerProduct(product: Product, lowering: Lowering): string {
  const { node, left, right, transposeA, transposeB, scale, suffix = '' } = product
  const blocks = blocksOf(right, lowering)
  if (blocks) return lowerQuantisedProduct(product, blocks, lowering)
  const inputs = [left, lowering.value(right)]
  if (!transposeA && !transposeB && scale === 1)
    return lowering.emit(node, 'MatMul', { inputs, suffix })
  return lowering.emit(node, 'FusedMatMul', {
    inputs,
    domain: 'com.microsoft',
    attributes: {
      transA: transposeA ? 1 : 0,
      transB: transposeB ? 1 : 0,
      alpha: { float: scale },
    },
    suffix,
  })
}
