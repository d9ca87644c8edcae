import type { Node } from '../node.ts'

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
