import type { CausalModel } from './causal-model.ts'
import { decoderConfig, decoderFields, upperWindow, upperWindowFields } from './decoder-config.ts'
import { type HfConfig, readHfConfig } from './hf-config.ts'
import { headCount, only, size } from './hf-fields.ts'
import { createLlamaDecoder } from './llama-decoder.ts'

const fields = {
  ...decoderFields,
  ...upperWindowFields,
  num_key_value_heads: headCount.nullable().default(32),
  max_position_embeddings: size.default(32_768),
  attention_bias: only(true),
  use_mrope: only(false),
} as const

/**
 * Qwen2 and Qwen2.5 (Yang et al. 2024; transformers `modeling_qwen2.py`): Llama's decoder with biases on queries, keys
 * and values; the layers from `max_window_layers` on may attend within a window.
 */
export function createQwen2(source: HfConfig): CausalModel {
  const hf = readHfConfig(source, fields)
  const config = decoderConfig(hf, { family: 'qwen2', ...upperWindow(hf) })
  const attention = { queryKeyValueBias: true, outputBias: false }
  const mlp = { activation: hf.hidden_act }
  return createLlamaDecoder({ config, source, attention, mlp })
}
