import type { Family, HfConfig } from '#learning/models'

/** The smallest models that still have everything: grouped queries, two layers, biases where the family has them. */
export const TINY: Readonly<Record<Family, HfConfig>> = {
  gpt2: {
    model_type: 'gpt2',
    vocab_size: 23,
    n_embd: 16,
    n_layer: 2,
    n_head: 4,
    n_positions: 64,
    eos_token_id: 22,
  },
  llama: {
    model_type: 'llama',
    vocab_size: 23,
    hidden_size: 16,
    intermediate_size: 24,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    max_position_embeddings: 64,
    eos_token_id: 22,
  },
  qwen2: {
    model_type: 'qwen2',
    vocab_size: 23,
    hidden_size: 16,
    intermediate_size: 24,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    max_position_embeddings: 64,
    tie_word_embeddings: true,
    eos_token_id: [22],
  },
}

export const FAMILIES = Object.keys(TINY) as readonly Family[]
