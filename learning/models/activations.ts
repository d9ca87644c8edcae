import { gelu, multiply, type Node, relu, scalar, sigmoid, silu, tanhGelu } from '#engine'

/** By the names of transformers (`ACT2FN`). */
const ACTIVATIONS = {
  gelu,
  gelu_python: gelu,
  gelu_new: tanhGelu,
  gelu_fast: tanhGelu,
  gelu_accurate: tanhGelu,
  gelu_pytorch_tanh: tanhGelu,
  quick_gelu: (x: Node) => multiply(x, sigmoid(multiply(x, scalar(1.702)))),
  relu,
  silu,
  swish: silu,
} as const satisfies Readonly<Record<string, (x: Node) => Node>>

export type Activation = keyof typeof ACTIVATIONS

export const ACTIVATION_NAMES = Object.keys(ACTIVATIONS) as readonly Activation[]

export function activate(x: Node, activation: Activation): Node {
  return ACTIVATIONS[activation](x)
}
