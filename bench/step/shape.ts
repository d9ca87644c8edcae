/** The shape of the compared step: a Llama of 5 M parameters, LoRA on all its linear layers. */
export const STEP_SHAPE = {
  vocabulary: 2_048,
  hidden: 256,
  layers: 6,
  heads: 8,
  mlp: 704,
  rank: 8,
  batch: 8,
  length: 128,
} as const

export type StepShape = Readonly<Record<keyof typeof STEP_SHAPE, number>>

/** One linear layer: y = x W^T + 2 (x A^T) B^T, with W [outputs, inputs] frozen. */
export interface LinearShape {
  readonly name: string
  readonly inputs: number
  readonly outputs: number
}

/** The linear layers of one block, in order. */
export function blockLinears({ hidden, mlp }: StepShape): readonly LinearShape[] {
  return [
    { name: 'query', inputs: hidden, outputs: hidden },
    { name: 'key', inputs: hidden, outputs: hidden },
    { name: 'value', inputs: hidden, outputs: hidden },
    { name: 'output', inputs: hidden, outputs: hidden },
    { name: 'gate', inputs: hidden, outputs: mlp },
    { name: 'up', inputs: hidden, outputs: mlp },
    { name: 'down', inputs: mlp, outputs: hidden },
  ]
}

/**
 * Floating-point operations of the matrix products of one step: forward, the gradient through frozen matrices, and
 * LoRA's own products three times over.
 */
export function stepFlops(shape: StepShape): number {
  const { vocabulary, hidden, layers, heads, rank, batch, length } = shape
  const rows = batch * length
  const head = 2 * 2 * rows * vocabulary * hidden
  let block = 0
  for (const { inputs, outputs } of blockLinears(shape)) {
    block += 2 * 2 * rows * inputs * outputs + 3 * 2 * rows * rank * (inputs + outputs)
  }
  const attention = 3 * 2 * 2 * batch * heads * length * length * (hidden / heads)
  return head + layers * (block + attention)
}
