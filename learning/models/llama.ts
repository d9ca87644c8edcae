import type { CausalModel } from './causal-model.ts'
import { decoderConfig, decoderFields } from './decoder-config.ts'
import { type HfConfig, readHfConfig } from './hf-config.ts'
import { flag, only } from './hf-fields.ts'
import { createLlamaDecoder } from './llama-decoder.ts'

const fields = {
  ...decoderFields,
  attention_bias: flag.default(false),
  mlp_bias: flag.default(false),
  rope_interleaved: only(false),
} as const

/**
 * Llama 1 to 3 (Touvron et al. 2023; transformers `modeling_llama.py`): RMS normalisation before each block, rotary
 * positions, grouped-query attention, SwiGLU; no biases unless the configuration says so.
 */
export function createLlama(source: HfConfig): CausalModel {
  const hf = readHfConfig(source, fields)
  const config = decoderConfig(hf, { family: 'llama' })
  const attention = { queryKeyValueBias: hf.attention_bias, outputBias: hf.attention_bias }
  const mlp = { activation: hf.hidden_act, bias: hf.mlp_bias }
  return createLlamaDecoder({ config, source, attention, mlp })
}
