import { describe, expect, it } from 'vitest'
import { input } from '#engine'
import { createModel, frozenScope, type HfConfig } from '#learning/models'
import { FAMILIES, TINY } from './tiny-models.ts'

const { llama, gpt2, qwen2 } = TINY

const withCode = (code: string, message: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(message) as string }) as Error

describe('refuses, naming the key', () => {
  const cases: readonly [string, HfConfig, string][] = [
    ['MODEL_CONFIG_INVALID', {}, 'model_type is missing'],
    ['MODEL_TYPE_UNSUPPORTED', { model_type: 'mamba' }, '"mamba" is not supported'],
    ['MODEL_TYPE_UNSUPPORTED', { model_type: 'toString' }, '"toString" is not supported'],
    [
      'MODEL_TYPE_UNSUPPORTED',
      { model_type: 'bert', architectures: ['BertForMaskedLM'] },
      'not a causal language model',
    ],
    ['MODEL_CONFIG_INVALID', { ...llama, hidden_size: undefined }, 'hidden_size is missing'],
    [
      'MODEL_CONFIG_INVALID',
      { ...llama, hidden_size: '16' },
      'must be a positive integer, got "16"',
    ],
    ['MODEL_CONFIG_INVALID', { ...llama, hidden_size: 16.5 }, 'hidden_size must be'],
    [
      'MODEL_CONFIG_INVALID',
      { ...llama, hidden_size: 0 },
      'hidden_size must be a positive integer, got 0',
    ],
    [
      'MODEL_CONFIG_INVALID',
      { ...llama, num_hidden_layers: 1e9 },
      'num_hidden_layers is too large',
    ],
    [
      'MODEL_CONFIG_INVALID',
      { ...llama, rms_norm_eps: '1e-5' },
      'rms_norm_eps must be a positive number',
    ],
    ['MODEL_CONFIG_INVALID', { ...llama, rms_norm_eps: 1e39 }, 'rms_norm_eps is too large'],
    ['MODEL_CONFIG_INVALID', { ...llama, mlp_bias: 1 }, 'mlp_bias must be true or false, got 1'],
    ['MODEL_CONFIG_INVALID', { ...llama, eos_token_id: 'x' }, 'eos_token_id must be a token id'],
    ['MODEL_CONFIG_INVALID', { ...llama, hidden_size: 18 }, 'not divisible'],
    ['MODEL_CONFIG_INVALID', { ...llama, num_key_value_heads: 3 }, 'num_key_value_heads 3'],
    ['MODEL_CONFIG_INVALID', { ...llama, head_dim: 5 }, 'an even part of each head'],
    ['MODEL_CONFIG_INVALID', { ...gpt2, n_head: 5 }, 'n_head 5'],
    ['MODEL_CONFIG_UNSUPPORTED', { ...llama, hidden_act: 'mish' }, 'hidden_act "mish"'],
    ['MODEL_CONFIG_UNSUPPORTED', { ...gpt2, activation_function: 'tanh' }, 'activation_function'],
    [
      'MODEL_CONFIG_UNSUPPORTED',
      { ...qwen2, layer_types: ['full_attention', 'sliding_attention'] },
      'layer_types',
    ],
    [
      'MODEL_CONFIG_UNSUPPORTED',
      { ...llama, rope_scaling: { rope_type: 'proportional', factor: 2 } },
      'rope_scaling.rope_type "proportional"',
    ],
    ['MODEL_CONFIG_INVALID', { ...llama, rope_scaling: { type: 'linear' } }, 'rope_scaling.factor'],
    ['MODEL_CONFIG_UNSUPPORTED', { ...llama, softcap: 30 }, 'the option softcap is not known'],
    [
      'MODEL_CONFIG_UNSUPPORTED',
      { ...llama, rope_scaling: { type: 'default', twist: 1 } },
      'the option rope_scaling.twist is not known',
    ],
    [
      'MODEL_CONFIG_UNSUPPORTED',
      { ...llama, quantization_config: { bits: 4 } },
      'quantization_config',
    ],
  ]
  it.each(cases)('%s %o', (code, config, message) => {
    expect(() => createModel(config)).toThrow(withCode(code, message))
  })
})

it('has the parameters of Hugging Face', () => {
  const names = (config: HfConfig) => [...createModel(config).parameters.keys()]
  expect(names(llama)).toContain('lm_head.weight')
  expect(names({ ...llama, tie_word_embeddings: true })).not.toContain('lm_head.weight')
  expect(names(llama).filter((name) => name.endsWith('.bias'))).toEqual([])
  expect(names({ ...llama, attention_bias: true })).toContain(
    'model.layers.1.self_attn.o_proj.bias',
  )
  expect(names({ ...llama, mlp_bias: true })).toContain('model.layers.0.mlp.down_proj.bias')
  expect(names(qwen2)).toContain('model.layers.0.self_attn.q_proj.bias')
  expect(names(qwen2)).not.toContain('model.layers.0.self_attn.o_proj.bias')
  expect(createModel(gpt2).parameters.get('transformer.h.0.attn.c_attn.weight')).toEqual([16, 48])
})

it('says how linear layers lie', () => {
  const [first] = createModel(gpt2).linears
  expect(first).toEqual({
    name: 'transformer.h.0.attn.c_attn',
    inputSize: 16,
    outputSize: 48,
    layout: 'input-output',
  })
  const key = createModel(llama).linears.find(({ name }) => name.endsWith('k_proj'))
  expect(key).toMatchObject({ inputSize: 16, outputSize: 8, layout: 'output-input' })
})

it('reads rope_parameters, which took the place of rope_theta and rope_scaling', () => {
  const rope_parameters = { rope_type: 'linear', factor: 4, rope_theta: 500 }
  expect(() => createModel({ ...llama, rope_parameters })).not.toThrow()
  expect(() => createModel({ ...llama, rope_parameters: { rope_type: 'proportional' } })).toThrow(
    withCode('MODEL_CONFIG_UNSUPPORTED', 'rope_parameters.rope_type'),
  )
})

// ALiBi has no positions to run out of.
it.each(FAMILIES.filter((family) => family !== 'bloom'))(
  '%s refuses more tokens than it has positions',
  (family) => {
    const model = createModel(TINY[family])
    const grid = (name: string) => input(name, [1, 65], 'int32')
    const inputs = { tokens: grid('tokens'), positions: grid('positions') }
    expect(() => model.hidden(inputs, frozenScope())).toThrow(
      withCode('MODEL_CONTEXT_EXCEEDED', 'reads 64 tokens at most, 65'),
    )
  },
)

it.each(FAMILIES)('%s knows its parameters without the first part of their names', (family) => {
  const model = createModel(TINY[family])
  for (const name of model.parameters.keys()) {
    expect(model.resolveName(name)).toBe(name)
    const [first, ...rest] = name.split('.')
    if (/^(model|transformer|gpt_neox)$/.test(first!))
      expect(model.resolveName(rest.join('.'))).toBe(name)
  }
  expect(model.resolveName('model.layers.0.self_attn.rotary_emb.inv_freq')).toBeUndefined()
  expect(model.resolveName('gpt_neox.layers.0.attention.masked_bias')).toBeUndefined()
  expect(model.resolveName('extra')).toBe('extra')
})
