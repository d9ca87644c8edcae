import type { HfConfig } from '#learning/models'

/** What a bench is run on: a model's config.json, as Hugging Face writes it, and the batch of one step. */
export interface BenchShape {
  readonly name: string
  readonly config: HfConfig
  readonly batch: number
  readonly length: number
}

/** The published configurations of the models whose names they bear; their numbers are drawn at random. */
export const SHAPES: Readonly<Record<string, Omit<BenchShape, 'name'>>> = {
  'smollm2-135m': {
    config: {
      model_type: 'llama',
      vocab_size: 49_152,
      hidden_size: 576,
      intermediate_size: 1_536,
      num_hidden_layers: 30,
      num_attention_heads: 9,
      num_key_value_heads: 3,
      max_position_embeddings: 8_192,
      rms_norm_eps: 1e-5,
      rope_theta: 100_000,
      tie_word_embeddings: true,
      bos_token_id: 1,
      eos_token_id: 2,
    },
    batch: 4,
    length: 128,
  },
  'qwen2.5-0.5b': {
    config: {
      model_type: 'qwen2',
      vocab_size: 151_936,
      hidden_size: 896,
      intermediate_size: 4_864,
      num_hidden_layers: 24,
      num_attention_heads: 14,
      num_key_value_heads: 2,
      max_position_embeddings: 32_768,
      rms_norm_eps: 1e-6,
      rope_theta: 1_000_000,
      tie_word_embeddings: true,
      eos_token_id: 151_643,
    },
    batch: 4,
    length: 128,
  },
  '5m': {
    config: {
      model_type: 'llama',
      vocab_size: 2_048,
      hidden_size: 256,
      intermediate_size: 704,
      num_hidden_layers: 6,
      num_attention_heads: 8,
      num_key_value_heads: 8,
      max_position_embeddings: 2_048,
      rms_norm_eps: 1e-5,
      rope_theta: 10_000,
      tie_word_embeddings: true,
      eos_token_id: 2,
    },
    batch: 8,
    length: 128,
  },
}
