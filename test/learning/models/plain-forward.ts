import type { Tensor } from '#engine'
import type { HfConfig } from '#learning/models'
import type { PlainConfig, PlainRope } from './plain-config.ts'
import {
  attention,
  columns,
  layerNorm,
  map,
  PLAIN_ACTIVATIONS,
  type PlainAttention,
  plus,
  type Rows,
  rmsNorm,
  rotateHalf,
  times,
} from './plain-math.ts'

/**
 * The logits of every token of one row, in float64 and loops: the slow twin of all families, written after
 * `modeling_*.py` of transformers and reading config.json by itself.
 */
export function plainForward(
  source: HfConfig,
  weights: ReadonlyMap<string, Tensor>,
  ids: readonly number[],
): Rows {
  const config = source as unknown as PlainConfig
  const family = FAMILIES[config.model_type]!
  const p = new Parameters(weights)
  const own = family(config, p)
  const table = p.rows(own.embedding)
  let x = own.enter(ids.map((id) => table[id]!))
  for (let layer = 0; layer < own.layers; layer++) x = own.layer(x, layer)
  x = own.leave(x)
  const tied = config.tie_word_embeddings ?? own.tiedUnlessTold
  const head = p.rows(tied ? own.embedding : own.head)
  const bias = p.find(`${own.head}.bias`)
  const cap = config.final_logit_softcapping
  return x.map((row) =>
    head.map((column, i) => {
      const logit = column.reduce((sum, w, d) => sum + w * row[d]!, bias?.[i] ?? 0)
      return cap ? cap * Math.tanh(logit / cap) : logit
    }),
  )
}

interface PlainFamily {
  readonly embedding: string
  readonly head: string
  readonly tiedUnlessTold: boolean
  readonly layers: number
  readonly enter: (x: Rows) => Rows
  readonly layer: (x: Rows, layer: number) => Rows
  readonly leave: (x: Rows) => Rows
}

/** Weights as torch modules use them. */
class Parameters {
  readonly #weights: ReadonlyMap<string, Tensor>
  constructor(weights: ReadonlyMap<string, Tensor>) {
    this.#weights = weights
  }
  find(name: string): number[] | undefined {
    const found = this.#weights.get(name)
    return found && [...found.data]
  }
  rows(module: string): Rows {
    const { data, shape } = this.#weights.get(`${module}.weight`)!
    const width = shape[1]!
    return Array.from({ length: shape[0]! }, (_, row) => [
      ...data.slice(row * width, (row + 1) * width),
    ])
  }
  /** torch.nn.Linear; its bias if there is one. */
  linear(x: Rows, module: string): Rows {
    const bias = this.find(`${module}.bias`)
    const weight = this.rows(module)
    return x.map((row) =>
      weight.map((w, i) => w.reduce((sum, value, d) => sum + value * row[d]!, bias?.[i] ?? 0)),
    )
  }
  /** GPT-2's Conv1D: [input, output]. */
  conv(x: Rows, module: string): Rows {
    const bias = this.find(`${module}.bias`)!
    const weight = this.rows(module)
    return x.map((row) =>
      bias.map((b, i) => row.reduce((sum, y, d) => sum + y * weight[d]![i]!, b)),
    )
  }
  rms(x: Rows, module: string, epsilon: number, offset = 0): Rows {
    const weight = this.find(`${module}.weight`)!.map((w) => w + offset)
    return x.map((row) => rmsNorm(row, weight, epsilon))
  }
  layer(x: Rows, module: string, epsilon: number): Rows {
    const weight = this.find(`${module}.weight`)!
    const bias = this.find(`${module}.bias`)!
    return x.map((row) => layerNorm(row, weight, bias, epsilon))
  }
}

/** Rotation by the options of a config, old spelling or new. */
function rotation(
  c: PlainConfig,
  headSize: number,
  defaults: { theta?: number; part?: number } = {},
) {
  const isOldSpelling = Object.keys(c.rope_scaling ?? {}).length > 0
  const options = ((isOldSpelling ? c.rope_scaling : c.rope_parameters) ?? {}) as PlainRope
  const theta = options.rope_theta ?? c.rope_theta ?? defaults.theta ?? 10_000
  const part = options.partial_rotary_factor ?? c.partial_rotary_factor ?? defaults.part ?? 1
  const width = Math.trunc(headSize * part)
  const type = options.rope_type ?? options.type ?? 'default'
  let magnitude = 1
  let frequency = (pair: number) => 1 / theta ** ((2 * pair) / width)
  const plain = frequency
  if (type === 'linear') frequency = (pair) => plain(pair) / options.factor!
  if (type === 'llama3')
    frequency = (pair) => {
      const old = options.original_max_position_embeddings
      const wavelength = (2 * Math.PI) / plain(pair)
      if (wavelength < old / options.high_freq_factor) return plain(pair)
      if (wavelength > old / options.low_freq_factor) return plain(pair) / options.factor!
      const smooth =
        (old / wavelength - options.low_freq_factor) /
        (options.high_freq_factor - options.low_freq_factor)
      return ((1 - smooth) * plain(pair)) / options.factor! + smooth * plain(pair)
    }
  if (type === 'yarn') {
    const factor = options.factor!
    const old = options.original_max_position_embeddings ?? c.max_position_embeddings
    const dimension = (rotations: number) =>
      (width * Math.log(old / (rotations * 2 * Math.PI))) / (2 * Math.log(theta))
    const low = Math.max(Math.floor(dimension(options.beta_fast ?? 32)), 0)
    const high = Math.min(Math.ceil(dimension(options.beta_slow ?? 1)), width - 1)
    magnitude = options.attention_factor ?? 1 + 0.1 * Math.log(factor)
    frequency = (pair) => {
      if (pair <= low) return plain(pair)
      if (pair >= high) return plain(pair) / factor
      const ramp = (pair - low) / (high - low)
      return (plain(pair) / factor) * ramp + plain(pair) * (1 - ramp)
    }
  }
  if (type === 'longrope' || type === 'su') {
    const old = c.original_max_position_embeddings ?? 4_096
    const factor = options.factor ?? c.max_position_embeddings / old
    magnitude = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(old))
    magnitude = options.attention_factor ?? magnitude
    frequency = (pair) => plain(pair) / options.short_factor[pair]!
  }
  return (head: readonly number[], position: number) =>
    rotateHalf(head, position, width, frequency, magnitude)
}

const unrotated = (head: readonly number[]) => head

/** Llama and all whose modules are called like its. */
function decoder(c: PlainConfig, p: Parameters): PlainFamily {
  const type: string = c.model_type
  const gemma = type === 'gemma2'
  const heads: number = c.num_attention_heads
  const keyValueHeads: number = c.num_key_value_heads ?? heads
  const headSize: number = c.head_dim ?? c.hidden_size / heads
  const act =
    PLAIN_ACTIVATIONS[
      (gemma ? c.hidden_activation : c.hidden_act) ?? (gemma ? 'gelu_new' : 'silu')
    ]!
  const epsilon = c.rms_norm_eps ?? (type === 'olmo2' || type === 'phi3' ? 1e-5 : 1e-6)
  const rope = rotation(c, headSize, { theta: type === 'smollm3' ? 2_000_000 : 10_000 })
  const norm = (x: Rows, module: string) => p.rms(x, module, epsilon, gemma ? 1 : 0)
  const rotates = (layer: number): boolean =>
    type !== 'smollm3' ||
    Boolean(c.no_rope_layers?.[layer] ?? (layer + 1) % (c.no_rope_layer_interval ?? 4))

  const windowOf = (layer: number): number | undefined => {
    const listed: string | undefined = c.layer_types?.[layer]
    if (listed === 'full_attention') return undefined
    if (listed === 'sliding_attention') return c.sliding_window ?? undefined
    const window = c.sliding_window ?? undefined
    if (type === 'mistral' || type === 'phi3') return window
    if (gemma) return layer % 2 === 0 ? window : undefined
    if (!c.use_sliding_window) return undefined
    if (type === 'smollm3') return rotates(layer) ? undefined : window
    return layer >= (c.max_window_layers ?? 28) ? window : undefined
  }

  /** Each head of each row apart. */
  const perHead = (x: Rows, module: string): Rows =>
    x.map((row) =>
      Array.from({ length: row.length / headSize }, (_, head) =>
        rmsNorm(
          row.slice(head * headSize, (head + 1) * headSize),
          p.find(`${module}.weight`)!,
          epsilon,
        ),
      ).flat(),
    )

  const attend = (x: Rows, at: string, layer: number): Rows => {
    const size = keyValueHeads * headSize
    let q: Rows
    let k: Rows
    let v: Rows
    if (type === 'phi3') {
      const joint = p.linear(x, `${at}.qkv_proj`)
      const end = heads * headSize
      ;[q, k, v] = [
        columns(joint, 0, end),
        columns(joint, end, end + size),
        columns(joint, end + size, end + 2 * size),
      ]
    } else
      [q, k, v] = [
        p.linear(x, `${at}.q_proj`),
        p.linear(x, `${at}.k_proj`),
        p.linear(x, `${at}.v_proj`),
      ]
    if (type === 'qwen3') [q, k] = [perHead(q, `${at}.q_norm`), perHead(k, `${at}.k_norm`)]
    if (type === 'olmo2') [q, k] = [norm(q, `${at}.q_norm`), norm(k, `${at}.k_norm`)]
    const init: PlainAttention = {
      heads,
      keyValueHeads,
      headSize,
      scale: gemma ? c.query_pre_attn_scalar ** -0.5 : headSize ** -0.5,
      softcap: gemma ? (c.attn_logit_softcapping ?? undefined) : undefined,
      window: windowOf(layer),
      rotate: rotates(layer) ? rope : unrotated,
    }
    return p.linear(attention(q, k, v, init), `${at}.o_proj`)
  }

  const mlp = (x: Rows, at: string): Rows => {
    let gate: Rows
    let up: Rows
    if (type === 'phi3') {
      const joint = p.linear(x, `${at}.gate_up_proj`)
      gate = columns(joint, 0, c.intermediate_size)
      up = columns(joint, c.intermediate_size, 2 * c.intermediate_size)
    } else [gate, up] = [p.linear(x, `${at}.gate_proj`), p.linear(x, `${at}.up_proj`)]
    return p.linear(times(map(gate, act), up), `${at}.down_proj`)
  }

  return {
    embedding: 'model.embed_tokens',
    head: 'lm_head',
    tiedUnlessTold: gemma || type === 'smollm3',
    layers: c.num_hidden_layers,
    enter: (x) => (gemma ? map(x, (y) => y * Math.sqrt(c.hidden_size)) : x),
    layer: (x, layer) => {
      const at = `model.layers.${layer}`
      const block = (name: string, y: Rows) =>
        name === 'attention' ? attend(y, `${at}.self_attn`, layer) : mlp(y, `${at}.mlp`)
      const n = (y: Rows, name: string) => norm(y, `${at}.${name}`)
      if (gemma) {
        const h = plus(
          x,
          n(block('attention', n(x, 'input_layernorm')), 'post_attention_layernorm'),
        )
        const read = n(h, 'pre_feedforward_layernorm')
        return plus(h, n(block('mlp', read), 'post_feedforward_layernorm'))
      }
      if (type === 'olmo2') {
        const h = plus(x, n(block('attention', x), 'post_attention_layernorm'))
        return plus(h, n(block('mlp', h), 'post_feedforward_layernorm'))
      }
      const h = plus(x, block('attention', n(x, 'input_layernorm')))
      return plus(h, block('mlp', n(h, 'post_attention_layernorm')))
    },
    leave: (x) => norm(x, 'model.norm'),
  }
}

function gpt2(c: PlainConfig, p: Parameters): PlainFamily {
  const width: number = c.hidden_size ?? c.n_embd
  const heads: number = c.num_attention_heads ?? c.n_head
  const epsilon = c.layer_norm_epsilon ?? 1e-5
  const act = PLAIN_ACTIVATIONS[c.activation_function ?? 'gelu_new']!
  const headSize = width / heads
  return {
    embedding: 'transformer.wte',
    head: 'lm_head',
    tiedUnlessTold: true,
    layers: c.num_hidden_layers ?? c.n_layer,
    enter: (x) => plus(x, p.rows('transformer.wpe')),
    layer: (x, layer) => {
      const at = `transformer.h.${layer}`
      const joint = p.conv(p.layer(x, `${at}.ln_1`, epsilon), `${at}.attn.c_attn`)
      const [q, k, v] = [0, 1, 2].map((i) => columns(joint, i * width, (i + 1) * width))
      let scale = c.scale_attn_weights === false ? 1 : headSize ** -0.5
      if (c.scale_attn_by_inverse_layer_idx) scale /= layer + 1
      const sizes = { heads, keyValueHeads: heads, headSize, scale, rotate: unrotated }
      const h = plus(x, p.conv(attention(q!, k!, v!, sizes), `${at}.attn.c_proj`))
      const up = p.conv(p.layer(h, `${at}.ln_2`, epsilon), `${at}.mlp.c_fc`)
      return plus(h, p.conv(map(up, act), `${at}.mlp.c_proj`))
    },
    leave: (x) => p.layer(x, 'transformer.ln_f', epsilon),
  }
}

/** [q of head 0, k of head 0, v of head 0, q of head 1, ...] -> q, k, v with joined heads. */
function deinterleave(joint: Rows, heads: number): Rows[] {
  return [0, 1, 2].map((which) =>
    joint.map((row) => {
      const size = row.length / heads / 3
      return Array.from({ length: heads }, (_, head) =>
        row.slice((head * 3 + which) * size, (head * 3 + which + 1) * size),
      ).flat()
    }),
  )
}

function gptNeox(c: PlainConfig, p: Parameters): PlainFamily {
  const heads: number = c.num_attention_heads
  const headSize = c.hidden_size / heads
  const epsilon = c.layer_norm_eps ?? 1e-5
  // `GPTNeoXConfig` sets the general names from its own.
  const named = {
    ...c,
    rope_theta: c.rotary_emb_base ?? 10_000,
    partial_rotary_factor: c.rotary_pct ?? 0.25,
  }
  const rotate = rotation(named, headSize)
  const init = { heads, keyValueHeads: heads, headSize, scale: headSize ** -0.5, rotate }
  const act = PLAIN_ACTIVATIONS[c.hidden_act ?? 'gelu']!
  return {
    embedding: 'gpt_neox.embed_in',
    head: 'embed_out',
    tiedUnlessTold: false,
    layers: c.num_hidden_layers,
    enter: (x) => x,
    layer: (x, layer) => {
      const at = `gpt_neox.layers.${layer}`
      const read = p.layer(x, `${at}.input_layernorm`, epsilon)
      const [q, k, v] = deinterleave(p.linear(read, `${at}.attention.query_key_value`), heads)
      const mixed = p.linear(attention(q!, k!, v!, init), `${at}.attention.dense`)
      const mlp = (y: Rows) => {
        const up = p.linear(
          p.layer(y, `${at}.post_attention_layernorm`, epsilon),
          `${at}.mlp.dense_h_to_4h`,
        )
        return p.linear(map(up, act), `${at}.mlp.dense_4h_to_h`)
      }
      if (c.use_parallel_residual ?? true) return plus(plus(mlp(x), mixed), x)
      const h = plus(mixed, x)
      return plus(mlp(h), h)
    },
    leave: (x) => p.layer(x, 'gpt_neox.final_layer_norm', epsilon),
  }
}

function opt(c: PlainConfig, p: Parameters): PlainFamily {
  const heads: number = c.num_attention_heads
  const headSize = c.hidden_size / heads
  const init = { heads, keyValueHeads: heads, headSize, scale: headSize ** -0.5, rotate: unrotated }
  const act = PLAIN_ACTIVATIONS[c.activation_function ?? 'relu']!
  const first = c.do_layer_norm_before ?? true
  const projected = (c.word_embed_proj_dim ?? c.hidden_size) !== c.hidden_size
  return {
    embedding: 'model.decoder.embed_tokens',
    head: 'lm_head',
    tiedUnlessTold: true,
    layers: c.num_hidden_layers,
    enter: (x) =>
      plus(
        projected ? p.linear(x, 'model.decoder.project_in') : x,
        p.rows('model.decoder.embed_positions').slice(2),
      ),
    layer: (x, layer) => {
      const at = `model.decoder.layers.${layer}`
      const before = (y: Rows, norm: string) => (first ? p.layer(y, `${at}.${norm}`, 1e-5) : y)
      const after = (y: Rows, norm: string) => (first ? y : p.layer(y, `${at}.${norm}`, 1e-5))
      const read = before(x, 'self_attn_layer_norm')
      const [q, k, v] = ['q', 'k', 'v'].map((n) => p.linear(read, `${at}.self_attn.${n}_proj`))
      const mixed = p.linear(attention(q!, k!, v!, init), `${at}.self_attn.out_proj`)
      const h = after(plus(x, mixed), 'self_attn_layer_norm')
      const up = p.linear(before(h, 'final_layer_norm'), `${at}.fc1`)
      return after(plus(h, p.linear(map(up, act), `${at}.fc2`)), 'final_layer_norm')
    },
    leave: (x) => {
      const bare = c._remove_final_layer_norm || !first
      const y = bare ? x : p.layer(x, 'model.decoder.final_layer_norm', 1e-5)
      return projected ? p.linear(y, 'model.decoder.project_out') : y
    },
  }
}

/** `build_alibi_tensor` of modeling_bloom.py, line by line. */
function alibi(heads: number): number[] {
  const closest = 2 ** Math.floor(Math.log2(heads))
  const base = 2 ** -(2 ** -(Math.log2(closest) - 3))
  const slopes = Array.from({ length: closest }, (_, i) => base ** (i + 1))
  if (closest !== heads) {
    const extra = 2 ** -(2 ** -(Math.log2(2 * closest) - 3))
    const remaining = Math.min(closest, heads - closest)
    for (let power = 1; power < 1 + 2 * remaining; power += 2) slopes.push(extra ** power)
  }
  return slopes
}

function bloom(c: PlainConfig, p: Parameters): PlainFamily {
  const heads: number = c.num_attention_heads ?? c.n_head
  const headSize = (c.n_embed ?? c.hidden_size) / heads
  const epsilon = c.layer_norm_epsilon ?? 1e-5
  const slopes = alibi(heads)
  const sizes = {
    heads,
    keyValueHeads: heads,
    headSize,
    scale: headSize ** -0.5,
    rotate: unrotated,
  }
  const post = c.apply_residual_connection_post_layernorm ?? false
  return {
    embedding: 'transformer.word_embeddings',
    head: 'lm_head',
    tiedUnlessTold: true,
    layers: c.num_hidden_layers ?? c.n_layer,
    enter: (x) => p.layer(x, 'transformer.word_embeddings_layernorm', epsilon),
    layer: (x, layer) => {
      const at = `transformer.h.${layer}`
      const read = p.layer(x, `${at}.input_layernorm`, epsilon)
      const [q, k, v] = deinterleave(p.linear(read, `${at}.self_attention.query_key_value`), heads)
      const mixed = attention(q!, k!, v!, { ...sizes, slopes })
      const h = plus(post ? read : x, p.linear(mixed, `${at}.self_attention.dense`))
      const again = p.layer(h, `${at}.post_attention_layernorm`, epsilon)
      const up = map(p.linear(again, `${at}.mlp.dense_h_to_4h`), PLAIN_ACTIVATIONS.gelu_fast!)
      return plus(post ? again : h, p.linear(up, `${at}.mlp.dense_4h_to_h`))
    },
    leave: (x) => p.layer(x, 'transformer.ln_f', epsilon),
  }
}

function phi(c: PlainConfig, p: Parameters): PlainFamily {
  const heads: number = c.num_attention_heads
  const headSize: number = c.head_dim ?? c.hidden_size / heads
  const epsilon = c.layer_norm_eps ?? 1e-5
  const act = PLAIN_ACTIVATIONS[c.hidden_act ?? 'gelu_new']!
  const init = {
    heads,
    keyValueHeads: c.num_key_value_heads ?? heads,
    headSize,
    scale: headSize ** -0.5,
    rotate: rotation(c, headSize, { part: 0.5 }),
  }
  const perHead = (x: Rows, module: string): Rows =>
    x.map((row) =>
      Array.from({ length: row.length / headSize }, (_, head) =>
        layerNorm(
          row.slice(head * headSize, (head + 1) * headSize),
          p.find(`${module}.weight`)!,
          p.find(`${module}.bias`)!,
          epsilon,
        ),
      ).flat(),
    )
  return {
    embedding: 'model.embed_tokens',
    head: 'lm_head',
    tiedUnlessTold: false,
    layers: c.num_hidden_layers,
    enter: (x) => x,
    layer: (x, layer) => {
      const at = `model.layers.${layer}`
      const read = p.layer(x, `${at}.input_layernorm`, epsilon)
      let [q, k, v] = ['q', 'k', 'v'].map((n) => p.linear(read, `${at}.self_attn.${n}_proj`))
      if (c.qk_layernorm)
        [q, k] = [
          perHead(q!, `${at}.self_attn.q_layernorm`),
          perHead(k!, `${at}.self_attn.k_layernorm`),
        ]
      const mixed = p.linear(attention(q!, k!, v!, init), `${at}.self_attn.dense`)
      const up = map(p.linear(read, `${at}.mlp.fc1`), act)
      return plus(plus(mixed, p.linear(up, `${at}.mlp.fc2`)), x)
    },
    leave: (x) => p.layer(x, 'model.final_layernorm', epsilon),
  }
}

const FAMILIES: Readonly<Record<string, (c: PlainConfig, p: Parameters) => PlainFamily>> = {
  bloom,
  gemma2: decoder,
  gpt2,
  gpt_neox: gptNeox,
  llama: decoder,
  mistral: decoder,
  olmo2: decoder,
  opt,
  phi,
  phi3: decoder,
  qwen2: decoder,
  qwen3: decoder,
  smollm3: decoder,
}
