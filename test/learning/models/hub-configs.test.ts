import { describe, expect, it } from 'vitest'
import { createModel, type HfConfig } from '#learning/models'
import { HUB_CONFIGS } from './hub-configs.ts'

const hub = (name: string): HfConfig => HUB_CONFIGS[name]!.config

it.each(Object.entries(HUB_CONFIGS))('%s: as many parameters as its weights', (_, expected) => {
  let count = 0
  for (const shape of createModel(expected.config).parameters.values())
    count += shape.reduce((product, size) => product * size, 1)
  expect(count).toBe(expected.parameters)
})

it.each(Object.entries(HUB_CONFIGS))('%s: an option nobody knows is named', (_, { config }) => {
  expect(() => createModel({ ...config, twisted_attention: true })).toThrow(
    expect.objectContaining({
      code: 'MODEL_CONFIG_UNSUPPORTED',
      message: expect.stringContaining('twisted_attention') as string,
    }),
  )
})

describe('what layers attend to', () => {
  const attention = (config: HfConfig) => createModel(config).config.attention
  const windows = (config: HfConfig) => attention(config).map(({ window }) => window)

  it('windows', () => {
    expect(new Set(windows(hub('Mistral-7B-v0.1')))).toEqual(new Set([4096]))
    expect(windows({ ...hub('Mistral-7B-v0.1'), sliding_window: null })).not.toContain(4096)
    expect(windows(hub('gemma-2-2b')).slice(0, 4)).toEqual([4096, undefined, 4096, undefined])
    expect(new Set(windows(hub('Qwen2.5-0.5B')))).toEqual(new Set([undefined]))
    const windowed = { ...hub('Qwen2.5-0.5B-Instruct'), use_sliding_window: true }
    expect(windows(windowed).indexOf(32768)).toBe(21)
    expect(windows(hub('Phi-3-mini-4k-instruct'))[0]).toBe(2047)
  })

  it('the types of layers say it as well', () => {
    const { sliding_window: _, ...rest } = hub('gemma-2-2b')
    const layer_types = Array.from({ length: 26 }, (_, layer) =>
      layer < 2 ? 'sliding_attention' : 'full_attention',
    )
    const found = windows({ ...rest, layer_types, sliding_window: 7 })
    expect(found.map((window) => window ?? 0)).toEqual([7, 7, ...new Array<number>(24).fill(0)])
  })

  it('rotation', () => {
    const widths = (name: string) => attention(hub(name)).map(({ rotaryWidth }) => rotaryWidth)
    expect(widths('SmolLM3-3B').slice(0, 5)).toEqual([128, 128, 128, 0, 128])
    const { no_rope_layers: _, ...byInterval } = hub('SmolLM3-3B')
    expect(attention(byInterval)).toEqual(attention(hub('SmolLM3-3B')))
    expect(widths('OLMo-2-0425-1B')[0]).toBe(128)
    const { no_rope_layer_interval: _interval, ...untold } = byInterval
    expect(attention(untold)).toEqual(attention(byInterval))
    const rotating = (option: object) =>
      attention({ ...byInterval, ...option }).filter(({ rotaryWidth }) => rotaryWidth > 0).length
    expect(rotating({ no_rope_layer_interval: 1 })).toBe(0)
    expect(rotating({ no_rope_layer_interval: 2 })).toBe(18)
    expect(rotating({ no_rope_layers: new Array<boolean>(40).fill(true) })).toBe(36)
    expect(widths('pythia-160m')[0]).toBe(16)
    expect(widths('phi-1_5')[0]).toBe(32)
    expect(widths('bloom-560m')[0]).toBe(0)
  })

  it('scales and caps', () => {
    expect(attention(hub('gemma-2-2b'))[0]).toMatchObject({ scale: 1 / 16, softcap: 50 })
    const scaled = { ...hub('gpt2'), scale_attn_by_inverse_layer_idx: true }
    expect(attention(scaled)[3]!.scale).toBe(1 / 8 / 4)
  })

  it('slopes of ALiBi, also where heads are no power of two', () => {
    const slopes = (heads: number) =>
      attention({ ...hub('bloom-560m'), n_embed: 1008, num_attention_heads: heads })[0]!.alibiSlopes
    expect(slopes(4)).toEqual([2 ** -2, 2 ** -4, 2 ** -6, 2 ** -8])
    expect(slopes(6)).toEqual([2 ** -2, 2 ** -4, 2 ** -6, 2 ** -8, 2 ** -1, 2 ** -3])
  })
})

it('the spelling of transformers 5 means the same', () => {
  const same = (
    name: string,
    rope_parameters: object,
    dropped: readonly string[],
    written: object = {},
  ) => {
    const entries = Object.entries(hub(name)).filter(([key]) => !dropped.includes(key))
    const { torch_dtype, ...rest } = Object.fromEntries(entries)
    const renamed = { ...rest, ...written, dtype: torch_dtype, rope_parameters }
    expect(createModel(renamed).config).toEqual(createModel(hub(name)).config)
  }
  same('pythia-160m', { rope_type: 'default', rope_theta: 10000, partial_rotary_factor: 0.25 }, [
    'rotary_pct',
    'rotary_emb_base',
  ])
  same('phi-1_5', { rope_type: 'default', rope_theta: 10000, partial_rotary_factor: 0.5 }, [
    'rope_theta',
    'rope_scaling',
    'partial_rotary_factor',
  ])
  const { rope_scaling } = hub('Llama-3.2-1B')
  same('Llama-3.2-1B', { ...(rope_scaling as object), rope_theta: 500000 }, [
    'rope_theta',
    'rope_scaling',
  ])
  const moved = ['rope_theta', 'rope_scaling']
  same('Qwen3-0.6B', { rope_type: 'default', rope_theta: 1000000 }, moved, {
    layer_types: new Array<string>(28).fill('full_attention'),
    pad_token_id: null,
  })
  same('SmolLM3-3B', { rope_type: 'default', rope_theta: 5000000 }, moved, {
    tie_word_embeddings: true,
  })
  same('OLMo-2-0425-1B', { rope_type: 'default', rope_theta: 500000 }, moved, {
    bos_token_id: null,
  })
  const whole = { rope_type: 'default', rope_theta: 10000, partial_rotary_factor: 1 }
  same('Phi-3-mini-4k-instruct', whole, moved)
})

it('rope_scaling counts where both spellings are written, unless it is empty', () => {
  const { rope_scaling, ...rest } = hub('Llama-3.2-1B')
  const rope_parameters = { rope_type: 'linear', factor: 3, rope_theta: 7 }
  const rope = (option: object) => createModel({ ...rest, rope_parameters, ...option }).config.rope!
  expect(rope({ rope_scaling })).toEqual(createModel(hub('Llama-3.2-1B')).config.rope)
  for (const nothing of [{}, null])
    expect(rope({ rope_scaling: nothing })).toEqual({
      theta: 7,
      scaling: { type: 'linear', factor: 3 },
    })
})

describe('what an option means that is left out, by configuration_*.py of transformers', () => {
  const bare = {
    vocab_size: 64,
    hidden_size: 128,
    intermediate_size: 96,
    num_hidden_layers: 4,
    num_attention_heads: 32,
  }
  const llama = {
    keyValueHeads: 32,
    headSize: 4,
    contextLength: 2_048,
    tiedHead: false,
    epsilon: 1e-6,
    rope: { theta: 10_000, scaling: { type: 'default' } },
    variant: { activation: 'silu' },
  }

  it.each([
    ['llama', llama],
    ['olmo2', { ...llama, epsilon: 1e-5 }],
    ['phi3', { ...llama, epsilon: 1e-5, contextLength: 4_096 }],
    ['qwen3', { ...llama, headSize: 128, contextLength: 32_768 }],
    [
      'smollm3',
      {
        ...llama,
        keyValueHeads: 4,
        contextLength: 32_768,
        tiedHead: true,
        rope: { theta: 2_000_000, scaling: { type: 'default' } },
      },
    ],
  ])('%s', (model_type, expected) => {
    const { config, parameters } = createModel({ ...bare, model_type })
    expect(config).toMatchObject(expected)
    expect([...parameters.keys()].filter((name) => name.endsWith('.bias'))).toEqual([])
    const kinds = config.attention.map(({ rotaryWidth, window }) => ({ rotaryWidth, window }))
    const rotaryWidth = expected.headSize
    const kind = { rotaryWidth, window: undefined }
    const last = model_type === 'smollm3' ? { ...kind, rotaryWidth: 0 } : kind
    expect(kinds).toEqual([kind, kind, kind, last])
  })

  it.each(['llama', 'olmo2', 'phi3', 'qwen3', 'smollm3'])('%s: heads are not shared', (family) => {
    const { config } = createModel({ ...bare, model_type: family, num_key_value_heads: null })
    expect(config.keyValueHeads).toBe(32)
  })

  it('the window of Qwen3', () => {
    const windowed = { ...bare, model_type: 'qwen3', use_sliding_window: true }
    const windows = (option: object) =>
      createModel({ ...windowed, ...option }).config.attention.map(({ window }) => window)
    expect(windows({ max_window_layers: 3 })).toEqual([undefined, undefined, undefined, 4_096])
    expect(windows({ num_hidden_layers: 30 }).indexOf(4_096)).toBe(28)
    expect(windows({ max_window_layers: 0, sliding_window: null })[0]).toBeUndefined()
  })
})

it('sizes go by the names of other families too', () => {
  const rename = (name: string, others: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(hub(name)).map(([key, value]) => [others[key] ?? key, value]))
  const gpt2 = rename('gpt2', {
    n_embd: 'hidden_size',
    n_layer: 'num_hidden_layers',
    n_head: 'num_attention_heads',
    n_positions: 'max_position_embeddings',
  })
  expect(createModel(gpt2).config).toEqual(createModel(hub('gpt2')).config)
  const bloom = rename('bloom-560m', {
    n_embed: 'hidden_size',
    n_layer: 'num_hidden_layers',
    num_attention_heads: 'n_head',
  })
  expect(createModel(bloom).config).toEqual(createModel(hub('bloom-560m')).config)
})

it('LongRoPE is read within the original context, by its short factors', () => {
  const longrope = {
    type: 'longrope',
    short_factor: new Array<number>(48).fill(1.5),
    long_factor: new Array<number>(48).fill(8),
  }
  const config = {
    ...hub('Phi-3-mini-4k-instruct'),
    max_position_embeddings: 131072,
    rope_scaling: longrope,
  }
  const { contextLength, rope } = createModel(config).config
  expect(contextLength).toBe(4096)
  expect(rope!.scaling).toMatchObject({ attentionFactor: Math.sqrt(1 + 5 / 12) })
  const parsed = (option: object) => createModel({ ...config, ...option }).config
  const beside = { ...longrope, original_max_position_embeddings: 8192 }
  expect(parsed({ rope_scaling: beside })).toMatchObject({ contextLength, rope })
  const { scaling } = parsed({ rope_scaling: { ...longrope, factor: 64 } }).rope!
  expect(scaling).toMatchObject({ attentionFactor: Math.sqrt(1 + 6 / 12) })
  const longer = parsed({ original_max_position_embeddings: 8192 })
  expect(longer.contextLength).toBe(8192)
  expect(longer.rope!.scaling).toMatchObject({ attentionFactor: Math.sqrt(1 + 4 / 13) })
  // As in Phi-4-mini: 24 heads of 128, of which 96 rotate.
  const part = { num_attention_heads: 24, num_key_value_heads: 8, partial_rotary_factor: 0.75 }
  expect(parsed(part).attention[0]).toMatchObject({ rotaryWidth: 96, scale: 128 ** -0.5 })
  for (const rope_scaling of [longrope, beside])
    expect(() => createModel({ ...hub('Llama-3.2-1B'), rope_scaling })).toThrow(
      'rope_scaling.rope_type "longrope" is not supported',
    )
})

it.each([
  ['opt-125m', { layer_norm_elementwise_affine: false }],
  ['bloom-560m', { n_inner: 2048 }],
  ['gemma-2-2b', { use_bidirectional_attention: true }],
  ['Phi-3-mini-4k-instruct', { attention_bias: true }],
  ['Phi-3-mini-4k-instruct', { layer_types: new Array<string>(32).fill('full_attention') }],
  ['Phi-3-mini-4k-instruct', { rope_scaling: { type: 'linear', factor: 2 } }],
  ['Phi-3-mini-4k-instruct', { rope_scaling: { type: 'yarn', factor: 2 } }],
  ['Llama-3.2-1B', { partial_rotary_factor: 0.5 }],
  ['Qwen3-0.6B', { partial_rotary_factor: 0.5 }],
  ['SmolLM3-3B', { partial_rotary_factor: 0.5 }],
  ['OLMo-2-0425-1B', { partial_rotary_factor: 0.5 }],
  ['OLMo-2-0425-1B', { clip_qkv: 8 }],
  [
    'Qwen3-0.6B',
    {
      rope_parameters: { full_attention: { rope_theta: 1 }, sliding_attention: { rope_theta: 2 } },
    },
  ],
  ['Qwen3-0.6B', { layer_types: new Array<string>(28).fill('sliding_attention') }],
  ['Mistral-7B-v0.1', { layer_types: new Array<string>(32).fill('chunked_attention') }],
  ['Mistral-7B-v0.1', { layer_types: new Array<string>(32).fill('full_attention') }],
  ['Qwen3-0.6B', { num_experts: 8 }],
  ['SmolLM2-135M', { rope_scaling: { rope_type: 'mrope', factor: 4 } }],
])('%s with %j is refused', (name, option) => {
  expect(() => createModel({ ...hub(name), ...option })).toThrow(
    expect.objectContaining({
      code: 'MODEL_CONFIG_UNSUPPORTED',
      message: expect.stringContaining(Object.keys(option)[0]!) as string,
    }),
  )
})
