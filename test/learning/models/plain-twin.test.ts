import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type HfConfig, loadCheckpoint } from '#learning/models'
import { forward, largestDifference } from './forward.ts'
import { plainForward } from './plain-forward.ts'
import { randomModel } from './random-model.ts'
import { hasSharedCheckpoints, REASON, sharedCheckpoint } from './shared-checkpoints.ts'
import { FAMILIES, TINY } from './tiny-models.ts'

const IDS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]

const RECORDED = [
  'gpt2',
  'llama',
  'llama-rope-linear',
  'llama3-rope',
  'qwen2',
  'mistral',
  'gpt_neox',
  'opt',
  'bloom',
  'phi',
  'gemma2',
]

describe.skipIf(!hasSharedCheckpoints)(`the twin itself equals transformers${REASON}`, () => {
  it.each(RECORDED)('%s', async (name) => {
    const folder = sharedCheckpoint(name)
    const golden = JSON.parse(readFileSync(`${folder}/golden.json`, 'utf8')) as {
      readonly input_ids: readonly (readonly number[])[]
      readonly positions: readonly (readonly number[])[]
      readonly logits: readonly (readonly (readonly number[])[])[]
    }
    const { model, weights } = await loadCheckpoint(folder)
    // The shortest prompt that has more than one token: loops are slow.
    const prompts = [...golden.input_ids.entries()].filter(([, ids]) => ids.length > 1)
    const [b, ids] = prompts.sort((x, y) => x[1].length - y[1].length)[0]!
    const rows = plainForward(model.source, weights, ids)
    for (const [i, position] of golden.positions[b]!.entries())
      expect(largestDifference(rows[position]!, golden.logits[b]![i]!)).toBeLessThan(1e-4)
  })
})

/** What the families' configurations may say besides, one thing after the other. */
const VARIANTS: readonly (readonly [string, HfConfig])[] = [
  [
    'gpt2, untied, exact GELU, scaled by layer',
    {
      ...TINY.gpt2,
      tie_word_embeddings: false,
      activation_function: 'gelu',
      scale_attn_by_inverse_layer_idx: true,
    },
  ],
  [
    'gpt2, unscaled scores, ReLU',
    { ...TINY.gpt2, scale_attn_weights: false, activation_function: 'relu', n_inner: 20 },
  ],
  [
    'gpt2, sizes by two names',
    { ...TINY.gpt2, hidden_size: 12, num_hidden_layers: 1, num_attention_heads: 2 },
  ],
  [
    'llama, biases everywhere, wide heads, exact GELU',
    {
      ...TINY.llama,
      attention_bias: true,
      mlp_bias: true,
      head_dim: 6,
      hidden_act: 'gelu',
    },
  ],
  [
    'llama, linear rope',
    { ...TINY.llama, rope_parameters: { rope_type: 'linear', factor: 3, rope_theta: 100 } },
  ],
  [
    'llama, rope by two names',
    {
      ...TINY.llama,
      rope_scaling: { type: 'linear', factor: 2 },
      rope_parameters: { rope_type: 'linear', factor: 3, rope_theta: 100 },
    },
  ],
  [
    'llama, rope of Llama 3',
    {
      ...TINY.llama,
      head_dim: 16,
      rope_theta: 50,
      rope_scaling: {
        rope_type: 'llama3',
        factor: 4,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: 24,
      },
    },
  ],
  [
    'llama, dynamic rope within its context',
    { ...TINY.llama, rope_scaling: { type: 'dynamic', factor: 4 } },
  ],
  [
    'qwen2, YaRN',
    {
      ...TINY.qwen2,
      hidden_size: 64,
      rope_theta: 100,
      rope_scaling: { type: 'yarn', factor: 4, original_max_position_embeddings: 16 },
    },
  ],
  [
    'gpt_neox, YaRN on part of a head',
    {
      ...TINY.gpt_neox,
      hidden_size: 32,
      num_attention_heads: 2,
      rope_parameters: {
        rope_type: 'yarn',
        rope_theta: 100,
        partial_rotary_factor: 0.5,
        factor: 8,
        beta_fast: 4,
        beta_slow: 0.5,
        attention_factor: 1.3,
      },
    },
  ],
  [
    'llama, both spellings of rope',
    {
      ...TINY.llama,
      rope_theta: 100,
      rope_scaling: { type: 'linear', factor: 3 },
      rope_parameters: { rope_type: 'default', rope_theta: 7 },
    },
  ],
  ['mistral, no window', { ...TINY.mistral, sliding_window: null, head_dim: 8 }],
  [
    'qwen2, a window in upper layers',
    {
      ...TINY.qwen2,
      use_sliding_window: true,
      sliding_window: 3,
      max_window_layers: 1,
      tie_word_embeddings: false,
    },
  ],
  [
    'qwen2, windows by type',
    {
      ...TINY.qwen2,
      use_sliding_window: true,
      sliding_window: 2,
      layer_types: ['sliding_attention', 'full_attention'],
    },
  ],
  [
    'qwen3, biases, untied, windows',
    {
      ...TINY.qwen3,
      attention_bias: true,
      tie_word_embeddings: false,
      use_sliding_window: true,
      sliding_window: 4,
      max_window_layers: 1,
    },
  ],
  [
    'gpt_neox, one after the other, no attention biases, tied',
    {
      ...TINY.gpt_neox,
      use_parallel_residual: false,
      attention_bias: false,
      tie_word_embeddings: true,
      hidden_act: 'gelu_new',
      rotary_pct: 1,
    },
  ],
  [
    'gpt_neox, the spelling of transformers 5',
    {
      ...TINY.gpt_neox,
      rotary_pct: undefined,
      rope_parameters: { rope_type: 'default', rope_theta: 50, partial_rotary_factor: 0.5 },
      hidden_act: 'gelu_fast',
    },
  ],
  [
    'gpt_neox, general names beside its own',
    { ...TINY.gpt_neox, rotary_emb_base: 50, rope_theta: 5_000, partial_rotary_factor: 1 },
  ],
  [
    'opt, normalised afterwards, a narrower embedding',
    { ...TINY.opt, do_layer_norm_before: false, word_embed_proj_dim: 8 },
  ],
  [
    'opt, a wider embedding, untied',
    { ...TINY.opt, word_embed_proj_dim: 24, tie_word_embeddings: false },
  ],
  [
    'opt, no biases, no last normalisation, untied',
    {
      ...TINY.opt,
      enable_bias: false,
      _remove_final_layer_norm: true,
      tie_word_embeddings: false,
      activation_function: 'gelu',
    },
  ],
  [
    'bloom, residuals after normalisation, five heads',
    {
      ...TINY.bloom,
      hidden_size: 20,
      n_head: 5,
      apply_residual_connection_post_layernorm: true,
    },
  ],
  [
    'bloom, sizes by two names',
    { ...TINY.bloom, n_embed: 20, num_hidden_layers: 1, num_attention_heads: 5 },
  ],
  [
    'phi, grouped and normalised heads, tied',
    {
      ...TINY.phi,
      qk_layernorm: true,
      tie_word_embeddings: true,
      hidden_act: 'gelu',
    },
  ],
  [
    'phi3, a part rotated, tied, ReLU',
    {
      ...TINY.phi3,
      head_dim: 8,
      partial_rotary_factor: 0.5,
      tie_word_embeddings: true,
      hidden_act: 'relu',
      sliding_window: null,
    },
  ],
  [
    'phi3, LongRoPE',
    {
      ...TINY.phi3,
      max_position_embeddings: 64,
      original_max_position_embeddings: 16,
      rope_scaling: { type: 'longrope', short_factor: [1.3, 2], long_factor: [5, 9] },
    },
  ],
  [
    'phi3, LongRoPE on a part, its factor told',
    {
      ...TINY.phi3,
      head_dim: 8,
      max_position_embeddings: 64,
      original_max_position_embeddings: 16,
      rope_parameters: {
        rope_type: 'longrope',
        rope_theta: 50,
        partial_rotary_factor: 0.5,
        factor: 9,
        original_max_position_embeddings: 32,
        short_factor: [1.3, 2],
        long_factor: [5, 9],
      },
    },
  ],
  [
    'phi3, LongRoPE, its magnitude told',
    {
      ...TINY.phi3,
      max_position_embeddings: 64,
      original_max_position_embeddings: 16,
      rope_scaling: {
        type: 'su',
        attention_factor: 1.5,
        short_factor: [1.3, 2],
        long_factor: [5, 9],
      },
    },
  ],
  [
    'gemma2, no caps, untied, biases, other types of layers',
    {
      ...TINY.gemma2,
      attn_logit_softcapping: null,
      final_logit_softcapping: null,
      tie_word_embeddings: false,
      attention_bias: true,
      hidden_activation: 'silu',
      layer_types: ['full_attention', 'sliding_attention'],
    },
  ],
  [
    'smollm3, listed layers, windows where nothing rotates',
    {
      ...TINY.smollm3,
      no_rope_layers: [0, 1],
      use_sliding_window: true,
      sliding_window: 3,
      tie_word_embeddings: false,
      attention_bias: true,
      mlp_bias: true,
    },
  ],
  [
    'smollm3, windows by type, no layer rotates',
    {
      ...TINY.smollm3,
      no_rope_layer_interval: 1,
      use_sliding_window: true,
      sliding_window: 3,
      layer_types: ['full_attention', 'sliding_attention'],
    },
  ],
  ['olmo2, biases, tied', { ...TINY.olmo2, attention_bias: true, tie_word_embeddings: true }],
]

it.each([...FAMILIES.map((family) => [family, TINY[family]] as const), ...VARIANTS])(
  'the graph equals the twin: %s',
  async (name, config) => {
    const { model, weights } = randomModel(config, `twin ${name}`)
    const [rows] = await forward({ model, weights, tokens: [IDS] })
    const expected = plainForward(config, weights, IDS)
    const scale = Math.max(1, ...expected.flat().map(Math.abs))
    for (const [i, row] of expected.entries())
      expect(largestDifference(rows![i]!, row) / scale).toBeLessThan(2e-5)
  },
)
