import { gelu, type Node, silu } from '#engine'

/** By the names of transformers (`ACT2FN`). */
const ACTIVATIONS = {
  gelu_new: gelu,
  gelu_fast: gelu,
  gelu_pytorch_tanh: gelu,
  silu,
  swish: silu,
} as const satisfies Readonly<Record<string, (x: Node) => Node>>

export type Activation = keyof typeof ACTIVATIONS

export const ACTIVATION_NAMES = Object.keys(ACTIVATIONS) as readonly Activation[]

export function activate(x: Node, activation: Activation): Node {
  return ACTIVATIONS[activation](x)
}
