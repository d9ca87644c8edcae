import { z } from 'zod'
import type { CausalModel } from './causal-model.ts'
import { createDecoder } from './decoder.ts'
import {
  configInvalid,
  flag,
  type HfConfig,
  layerCount,
  parseHfConfig,
  parseRope,
  positive,
  requireOption,
  size,
  tokenId,
  tokenIds,
} from './hf-config.ts'

const schema = z.object({
  vocab_size: size,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: layerCount,
  num_attention_heads: size,
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  max_position_embeddings: size.default(2048),
  rms_norm_eps: positive.default(1e-6),
  tie_word_embeddings: flag.default(false),
  attention_bias: flag.default(false),
  mlp_bias: flag.default(false),
  bos_token_id: tokenId.nullish(),
  eos_token_id: tokenIds.default([]),
})

/** Llama 1 to 3 (Touvron et al. 2023): no biases unless the configuration says so. */
export function createLlama(source: HfConfig): CausalModel {
  const hf = parseHfConfig(schema, source)
  requireOption(source, 'hidden_act', ['silu', 'swish'])
  return createDecoder({
    config: {
      family: 'llama',
      vocabularySize: hf.vocab_size,
      hiddenSize: hf.hidden_size,
      layers: hf.num_hidden_layers,
      ...headSizes(hf),
      intermediateSize: hf.intermediate_size,
      contextLength: hf.max_position_embeddings,
      tiedHead: hf.tie_word_embeddings,
      epsilon: hf.rms_norm_eps,
      rope: parseRope(source, hf.max_position_embeddings),
      eosIds: hf.eos_token_id,
      bosId: hf.bos_token_id ?? undefined,
    },
    source,
    biases: { queryKeyValue: hf.attention_bias, output: hf.attention_bias, mlp: hf.mlp_bias },
  })
}

/** The sizes of attention heads, checked against each other; shared with Qwen2. */
export function headSizes(hf: {
  readonly hidden_size: number
  readonly num_attention_heads: number
  readonly num_key_value_heads?: number | null | undefined
  readonly head_dim?: number | null | undefined
}): { heads: number; keyValueHeads: number; headSize: number } {
  const heads = hf.num_attention_heads
  const keyValueHeads = hf.num_key_value_heads ?? heads
  if (heads % keyValueHeads !== 0)
    throw configInvalid(
      'num_key_value_heads',
      `num_attention_heads ${heads} is not divisible by num_key_value_heads ${keyValueHeads}`,
    )
  const headSize = hf.head_dim ?? hf.hidden_size / heads
  if (!Number.isInteger(headSize))
    throw configInvalid(
      'num_attention_heads',
      `hidden_size ${hf.hidden_size} is not divisible by num_attention_heads ${heads}`,
    )
  if (headSize % 2 !== 0)
    throw configInvalid('head_dim', `rotary positions need an even head size, got ${headSize}`)
  return { heads, keyValueHeads, headSize }
}
