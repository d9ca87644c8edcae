import type * as tensorflow from '@tensorflow/tfjs-core'
import type { Node } from '../node.ts'

export type Tf = typeof tensorflow
export type TfTensor = tensorflow.Tensor

/** What evaluation reads: the library, the value of each operand, and those of the leaves. */
export interface Evaluation {
  readonly tf: Tf
  value(node: Node): TfTensor
  leaf(node: Node): TfTensor
}
