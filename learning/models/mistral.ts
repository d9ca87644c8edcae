import type { CausalModel } from './causal-model.ts'
import { decoderConfig, decoderFields } from './decoder-config.ts'
import { configUnsupported, type HfConfig, readHfConfig } from './hf-config.ts'
import { headCount, only, size } from './hf-fields.ts'
import { createLlamaDecoder } from './llama-decoder.ts'

const fields = {
  ...decoderFields,
  num_key_value_heads: headCount.nullable().default(8),
  max_position_embeddings: size.default(131_072),
  sliding_window: size.nullable().default(4_096),
  attention_bias: only(false),
} as const

/**
 * Mistral (Jiang et al. 2023; transformers `modeling_mistral.py`): Llama's decoder, every layer within a window.
 * transformers does not look at `layer_types` here, so only those that say the same are accepted.
 */
export function createMistral(source: HfConfig): CausalModel {
  const hf = readHfConfig(source, fields)
  const config = decoderConfig(hf, {
    family: 'mistral',
    window: hf.sliding_window ?? undefined,
    slides: () => true,
  })
  const full = hf.layer_types?.find((type) => type !== 'sliding_attention')
  if (full !== undefined && hf.sliding_window !== null)
    throw configUnsupported(
      'layer_types',
      full,
      'supported: sliding_attention, or no sliding_window',
    )
  const attention = { queryKeyValueBias: false, outputBias: false }
  const mlp = { activation: hf.hidden_act }
  return createLlamaDecoder({ config, source, attention, mlp })
}
