import { type Node, reshape } from '#engine'
import type { CausalModel } from './causal-model.ts'
import { decoderConfig, decoderFields, upperWindow, upperWindowFields } from './decoder-config.ts'
import { type HfConfig, readHfConfig } from './hf-config.ts'
import { flag, headCount, size } from './hf-fields.ts'
import { createLlamaDecoder } from './llama-decoder.ts'
import type { Modules } from './modules.ts'

const fields = {
  ...decoderFields,
  ...upperWindowFields,
  num_key_value_heads: headCount.nullable().default(32),
  head_dim: size.nullable().default(128),
  max_position_embeddings: size.default(32_768),
  attention_bias: flag.default(false),
} as const

/**
 * Qwen3 (Yang et al. 2025; transformers `modeling_qwen3.py`): Llama's decoder with RMS normalisation of each query's and
 * key's head before its rotation, and a head size apart from the hidden size.
 */
export function createQwen3(source: HfConfig): CausalModel {
  const hf = readHfConfig(source, fields)
  const config = decoderConfig(hf, { family: 'qwen3', ...upperWindow(hf) })
  const attention = {
    queryKeyValueBias: hf.attention_bias,
    outputBias: hf.attention_bias,
    normalise: (x: Node, module: string, at: Modules) =>
      at.rmsNorm(reshape(x, [x.shape[0]!, -1, config.headSize]), module),
  }
  const mlp = { activation: hf.hidden_act }
  return createLlamaDecoder({ config, source, attention, mlp })
}
