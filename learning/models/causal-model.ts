import type { Node } from '#engine'
import type { LayerAttention } from './layer-attention.ts'
import type { RopeConfig } from './rope.ts'

export type Family =
  | 'bloom'
  | 'gemma2'
  | 'gpt2'
  | 'gpt_neox'
  | 'llama'
  | 'mistral'
  | 'olmo2'
  | 'opt'
  | 'phi'
  | 'phi3'
  | 'qwen2'
  | 'qwen3'
  | 'smollm3'

/** What every family's config.json comes down to. Sizes in elements. */
export interface ModelConfig {
  readonly family: Family
  /** Width of the head; may be larger than the tokenizer's vocabulary. */
  readonly vocabularySize: number
  readonly hiddenSize: number
  /** Width of the token embedding and of what the head reads, where it is not `hiddenSize` (OPT-350M). */
  readonly embeddingSize?: number
  readonly layers: number
  readonly heads: number
  /** Heads of keys and values, fewer than `heads` in grouped-query attention. */
  readonly keyValueHeads: number
  readonly headSize: number
  readonly intermediateSize: number
  /** Longest sequence the model was made for, in tokens. */
  readonly contextLength: number
  /** Whether the head shares the weights of the token embedding. */
  readonly tiedHead: boolean
  /** The epsilon of its normalisation layers. */
  readonly epsilon: number
  /** Rotary positions; undefined where positions are learned. */
  readonly rope: RopeConfig | undefined
  /** One a layer. */
  readonly attention: readonly LayerAttention[]
  /** Further choices of the family that change its numbers, for digests. */
  readonly variant: Readonly<Record<string, unknown>>
  readonly eosIds: readonly number[]
  readonly bosId: number | undefined
}

/** A linear layer that may carry an adapter. */
export interface Linear {
  /** Hugging Face module name: `model.layers.0.self_attn.q_proj`. Its weight is `<name>.weight`. */
  readonly name: string
  readonly inputSize: number
  readonly outputSize: number
  /** How the weight lies: [output, input], or [input, output] in GPT-2's Conv1D. */
  readonly layout: 'output-input' | 'input-output'
}

/**
 * Who builds a graph decides what a parameter is: a frozen weight, a variable that training updates, an input;
 * and whether a linear layer carries adapters.
 */
export interface ParameterScope {
  parameter(name: string, shape: readonly number[]): Node
  /** What adapters add to the output of a linear layer for its input `x` [N, input]; undefined for nothing. */
  linear?(layer: Linear, x: Node): Node | undefined
}

/** Keys and values of tokens already read, for decoding. */
export interface KeyValueCache {
  /** One a layer, [B, keyValueHeads, T, W] where W is `cachedHeadSize`; column t is the row's token at position t. */
  readonly keys: readonly Node[]
  /** One a layer, of the same shape. */
  readonly values: readonly Node[]
  /** int32 [B]: tokens of each row, the new ones included. */
  readonly lengths: Node
  /** No row grows longer than this. */
  readonly limit: number
}

export interface HiddenInputs {
  /** int32 [B, S]; with a cache [B * S, 1], one row's tokens after the other's. */
  readonly tokens: Node
  /** int32 as `tokens`, from 0; at most the number of columns (S, or the limit of the cache) less one. */
  readonly positions: Node
  /**
   * int32 [B, S]: a token attends to earlier tokens of its own segment only; padding is segment 0.
   * Left out: each row is one segment.
   */
  readonly segments?: Node
  /** Every new token also attends to the earlier ones of its row, as `cachedAttention` says. Not together with `segments`. */
  readonly cache?: KeyValueCache
}

export interface HiddenStates {
  /** What the head reads, [B * S, embeddingSize ?? hiddenSize]; row b * S + s is token s of row b. */
  readonly states: Node
  /** With a cache: what these tokens add to it, one a layer, [B * S, keyValueHeads * W]. */
  readonly keys: readonly Node[]
  readonly values: readonly Node[]
}

/** A causal language model as a description: it holds shapes and builds graphs, never numbers. */
export interface CausalModel {
  readonly family: Family
  readonly config: ModelConfig
  /** The config.json it came from, kept whole so that a saved copy says the same. */
  readonly source: Readonly<Record<string, unknown>>
  /** Hugging Face names to shapes, in the order of the layers. */
  readonly parameters: ReadonlyMap<string, readonly number[]>
  readonly linears: readonly Linear[]
  /** The parameter of the token embedding, and what a head is stored as. A tied head is no parameter of its own. */
  readonly embeddingWeight: string
  readonly headWeight: string
  /** The parameter a stored tensor's name stands for: itself, another spelling, or undefined for a buffer to ignore. */
  resolveName(stored: string): string | undefined
  /** @throws CotuneError MODEL_CONTEXT_EXCEEDED if there are more columns than the model has positions. */
  hidden(inputs: HiddenInputs, scope: ParameterScope): HiddenStates
  /** The head: [M, embeddingSize ?? hiddenSize] -> [M, vocabularySize]. */
  logits(rows: Node, scope: ParameterScope): Node
}
