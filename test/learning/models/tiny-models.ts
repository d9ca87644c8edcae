import type { Family, HfConfig } from '#learning/models'

const DECODER = {
  vocab_size: 23,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 64,
  eos_token_id: 22,
} as const

const { num_key_value_heads: _, ...EQUAL_HEADS } = DECODER

/**
 * The smallest models that still have everything: grouped queries, two layers, biases where the family has them,
 * windows that hide something, layers of each kind.
 */
export const TINY: Readonly<Record<Family, HfConfig>> = {
  // Three heads: no power of two.
  bloom: {
    model_type: 'bloom',
    vocab_size: 23,
    hidden_size: 12,
    n_layer: 2,
    n_head: 3,
    eos_token_id: 22,
  },
  gemma2: {
    ...DECODER,
    model_type: 'gemma2',
    head_dim: 8,
    query_pre_attn_scalar: 6,
    sliding_window: 3,
    attn_logit_softcapping: 2,
    final_logit_softcapping: 5,
  },
  gpt2: {
    model_type: 'gpt2',
    vocab_size: 23,
    n_embd: 16,
    n_layer: 2,
    n_head: 4,
    n_positions: 64,
    eos_token_id: 22,
  },
  gpt_neox: { ...EQUAL_HEADS, model_type: 'gpt_neox', rotary_pct: 0.5 },
  llama: { ...DECODER, model_type: 'llama' },
  mistral: { ...DECODER, model_type: 'mistral', sliding_window: 3 },
  olmo2: { ...DECODER, model_type: 'olmo2' },
  opt: {
    model_type: 'opt',
    vocab_size: 23,
    hidden_size: 16,
    ffn_dim: 24,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    max_position_embeddings: 64,
    eos_token_id: 22,
  },
  phi: { ...DECODER, model_type: 'phi' },
  phi3: { ...DECODER, model_type: 'phi3', sliding_window: 3 },
  qwen2: { ...DECODER, model_type: 'qwen2', tie_word_embeddings: true, eos_token_id: [22] },
  qwen3: { ...DECODER, model_type: 'qwen3', head_dim: 8, tie_word_embeddings: true },
  smollm3: { ...DECODER, model_type: 'smollm3', no_rope_layer_interval: 2 },
}

export const FAMILIES = Object.keys(TINY) as readonly Family[]
