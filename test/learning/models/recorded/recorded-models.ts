import { join } from 'node:path'
import type { HfConfig } from '#learning/models'
import { saveCheckpoint } from '#learning/models'
import { randomModel } from '../random-model.ts'

const SIZES = {
  vocab_size: 300,
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 5,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 256,
  eos_token_id: 2,
} as const

const LONG_ROPE = {
  type: 'longrope',
  short_factor: [1, 1.1, 1.3, 1.6, 2, 2.5],
  long_factor: [2, 2.2, 2.6, 3.2, 4, 5],
}

/**
 * Models of the families and options that no checkpoint in ../shared has, as llama.cpp recorded them in `NAME.json` beside this file: their
 * numbers come from a seed. `record-logits.ts` records them anew.
 */
export const RECORDED_MODELS: Readonly<Record<string, HfConfig>> = {
  olmo2: { ...SIZES, model_type: 'olmo2', rope_theta: 500_000 },
  phi3: { ...SIZES, model_type: 'phi3', original_max_position_embeddings: 256 },
  'phi3-longrope': {
    ...SIZES,
    model_type: 'phi3',
    max_position_embeddings: 512,
    original_max_position_embeddings: 256,
    partial_rotary_factor: 0.75,
    rope_scaling: LONG_ROPE,
  },
  'qwen2-yarn': {
    ...SIZES,
    model_type: 'qwen2',
    rope_scaling: { type: 'yarn', factor: 4, original_max_position_embeddings: 64 },
  },
  qwen3: { ...SIZES, model_type: 'qwen3', head_dim: 32, tie_word_embeddings: true },
  smollm3: { ...SIZES, model_type: 'smollm3', rope_theta: 2_000_000 },
}

/** What llama.cpp said of them, in the form of `cotune model verify --golden`. */
export function recordOf(name: string): string {
  return join(import.meta.dirname, `${name}.json`)
}

/** Writes one of them as a checkpoint. */
export async function saveRecordedModel(name: string, folder: string): Promise<void> {
  await saveCheckpoint(folder, randomModel(RECORDED_MODELS[name]!, name))
}
