import { z } from 'zod'
import type { CausalModel } from './causal-model.ts'
import { decoderConfig, decoderFields } from './decoder-config.ts'
import { configInvalid, type HfConfig, readHfConfig } from './hf-config.ts'
import { flag, headCount, size } from './hf-fields.ts'
import { createLlamaDecoder } from './llama-decoder.ts'

const fields = {
  ...decoderFields,
  num_key_value_heads: headCount.nullable().default(4),
  max_position_embeddings: size.default(32_768),
  tie_word_embeddings: flag.default(true),
  attention_bias: flag.default(false),
  mlp_bias: flag.default(false),
  use_sliding_window: flag.default(false),
  sliding_window: size.nullish(),
  // Counts layers in Qwen's way; SmolLM3's code does not read it.
  max_window_layers: z.number().nullish(),
  no_rope_layers: z
    .array(z.union([z.literal([0, 1]), z.boolean()]), 'must be a list of 0 and 1')
    .nullish(),
  no_rope_layer_interval: size.default(4),
} as const

/**
 * SmolLM3 (Hugging Face 2025; transformers `modeling_smollm3.py`): Llama's decoder in which every fourth layer leaves
 * positions out (Yang et al. 2025, "RoPE to NoPE"). Despite its name, `no_rope_layers` has 1 where a layer rotates.
 */
export function createSmollm3(source: HfConfig): CausalModel {
  const hf = readHfConfig(source, fields)
  const listed = hf.no_rope_layers ?? undefined
  if (listed !== undefined && listed.length < hf.num_hidden_layers)
    throw configInvalid(
      'no_rope_layers',
      `no_rope_layers names ${listed.length} layers, num_hidden_layers says ${hf.num_hidden_layers}`,
    )
  const rotates = (layer: number): boolean =>
    listed === undefined ? (layer + 1) % hf.no_rope_layer_interval !== 0 : Boolean(listed[layer])
  const config = decoderConfig(hf, {
    family: 'smollm3',
    rotates,
    window: hf.use_sliding_window ? (hf.sliding_window ?? undefined) : undefined,
    slides: (layer) => !rotates(layer),
    defaultTheta: 2_000_000,
  })
  const attention = { queryKeyValueBias: hf.attention_bias, outputBias: hf.attention_bias }
  const mlp = { activation: hf.hidden_act, bias: hf.mlp_bias }
  return createLlamaDecoder({ config, source, attention, mlp })
}
