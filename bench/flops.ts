import type { CausalModel } from '#learning/models'

/** What a step trains: adapters on all linear layers, on queries and values only, or every parameter. */
export type Trained = 'all' | 'qv' | 'full'

export interface StepWork {
  readonly batch: number
  readonly length: number
  readonly trained: Trained
  readonly rank: number
}

/** The linear layers that carry an adapter, by the last part of their names; undefined: all of them. */
export const QUERY_AND_VALUE = ['q_proj', 'v_proj']

const READS_EMBEDDING = /\.layers\.0\.self_attn\.[qkv]_proj$/

/**
 * Useful floating-point operations of one training step of a Llama or Qwen2, every position supervised: two for each
 * multiplication of a matrix product. With N = batch * length rows:
 *
 * - a linear layer: 2 N in out forward, as much for the gradient of its input, as much again for that of its weight where the
 *   weight is trained;
 * - LoRA on it: six products with N rank in or N rank out (two forward, four backward);
 * - attention: two products of batch * heads * length^2 * headSize forward, four backward. The whole square counts, as is usual
 *   (PaLM, appendix B), though causality needs half of it;
 * - the head: like a linear layer, on all N rows.
 *
 * What nobody needs does not count: nothing trained lies below the first layer's queries, keys and values unless all is
 * trained. Nor do recomputation, dequantisation, and all that is not a product (softmax, norms, AdamW).
 */
export function stepFlops(model: CausalModel, work: StepWork): number {
  const { vocabularySize, hiddenSize, embeddingSize = hiddenSize } = model.config
  const { heads, headSize, layers } = model.config
  const rows = work.batch * work.length
  const full = work.trained === 'full'
  const product = (inner: number, outer: number) => 2 * rows * inner * outer
  let total = product(embeddingSize, vocabularySize) * (full ? 3 : 2)
  for (const { name, inputSize, outputSize } of model.linears) {
    const passesOn = full || !READS_EMBEDDING.test(name)
    total += product(inputSize, outputSize) * (1 + (passesOn ? 1 : 0) + (full ? 1 : 0))
    if (full || !isAdapted(name, work.trained)) continue
    total += product(work.rank, inputSize) * (passesOn ? 3 : 2) + product(work.rank, outputSize) * 3
  }
  const square = 2 * work.batch * heads * work.length ** 2 * headSize
  const withoutKeys = work.trained === 'qv' ? 1 : 0
  return total + square * (6 * layers - withoutKeys)
}

function isAdapted(name: string, trained: Trained): boolean {
  return trained === 'all' || QUERY_AND_VALUE.some((target) => name.endsWith(`.${target}`))
}
