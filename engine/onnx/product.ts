import type { Node } from '../node.ts'

/** A matrix product to be written for `node`; its right operand is told beside it. */
export interface Product {
  readonly node: Node
  /** The value of the left operand. */
  readonly left: string
  readonly transposeA: boolean
  readonly transposeB: boolean
  readonly scale: number
  /** Keeps several products of one node apart. */
  readonly suffix?: string
}
