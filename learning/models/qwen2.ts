import { z } from 'zod'
import type { CausalModel } from './causal-model.ts'
import { createDecoder } from './decoder.ts'
import {
  configUnsupported,
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
import { headSizes } from './llama.ts'

const schema = z.object({
  vocab_size: size,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: layerCount,
  num_attention_heads: size,
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  max_position_embeddings: size.default(32_768),
  rms_norm_eps: positive.default(1e-6),
  tie_word_embeddings: flag.default(false),
  layer_types: z.array(z.string()).nullish(),
  bos_token_id: tokenId.nullish(),
  eos_token_id: tokenIds.default([]),
})

/** Qwen2 and Qwen2.5 (Yang et al. 2024): Llama's decoder with biases on queries, keys and values. */
export function createQwen2(source: HfConfig): CausalModel {
  const hf = parseHfConfig(schema, source)
  requireOption(source, 'hidden_act', ['silu', 'swish'])
  requireOption(source, 'use_sliding_window', [false])
  requireOption(source, 'use_mrope', [false])
  const windowed = hf.layer_types?.find((type) => type !== 'full_attention')
  if (windowed !== undefined)
    throw configUnsupported('layer_types', windowed, 'supported: full_attention')
  return createDecoder({
    config: {
      family: 'qwen2',
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
    biases: { queryKeyValue: true, output: false, mlp: false },
  })
}
