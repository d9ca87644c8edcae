import { multiply, type Node } from '#engine'
import { type Activation, activate } from './activations.ts'
import type { Attend } from './attention-pass.ts'
import type { ModelConfig } from './causal-model.ts'
import type { Modules } from './modules.ts'

/** What the relatives of Llama call their modules. */
export const DECODER_NAMES = {
  embedding: 'model.embed_tokens',
  layers: 'model.layers',
  head: 'lm_head',
} as const

export interface SelfAttentionOptions {
  readonly queryKeyValueBias: boolean
  readonly outputBias: boolean
  /** What happens to queries and keys before they are split into heads. */
  readonly normalise?: (x: Node, module: 'q_norm' | 'k_norm', at: Modules) => Node
}

/** Projections to queries, keys and values, attention, projection back: x [N, hiddenSize]. */
export function selfAttention(
  x: Node,
  at: Modules,
  attend: Attend,
  { heads, keyValueHeads, headSize, hiddenSize }: ModelConfig,
  options: SelfAttentionOptions,
): Node {
  const { queryKeyValueBias: bias, outputBias, normalise = (y) => y } = options
  const own = at.within('self_attn')
  const queries = normalise(own.linear(x, 'q_proj', heads * headSize, { bias }), 'q_norm', own)
  const keys = normalise(own.linear(x, 'k_proj', keyValueHeads * headSize, { bias }), 'k_norm', own)
  const values = own.linear(x, 'v_proj', keyValueHeads * headSize, { bias })
  return own.linear(attend(queries, keys, values), 'o_proj', hiddenSize, { bias: outputBias })
}

export interface GatedMlpOptions {
  readonly activation: Activation
  readonly bias?: boolean
}

/** The gated linear unit of Shazeer (2020): down(activation(gate(x)) up(x)). */
export function gatedMlp(
  x: Node,
  at: Modules,
  { intermediateSize, hiddenSize }: ModelConfig,
  { activation, bias = false }: GatedMlpOptions,
): Node {
  const own = at.within('mlp')
  const gate = activate(own.linear(x, 'gate_proj', intermediateSize, { bias }), activation)
  const gated = multiply(gate, own.linear(x, 'up_proj', intermediateSize, { bias }))
  return own.linear(gated, 'down_proj', hiddenSize, { bias })
}
