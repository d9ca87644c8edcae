import { CotuneError } from '#base'
import type { CausalModel, Family } from '#learning/models'
import type { GgufValue } from './gguf-header.ts'

/** How llama.cpp has a family: the names of gguf-py's tensor_mapping.py, and what convert_hf_to_gguf.py does to its rows. */
interface GgufFamily {
  /** Its name of each module of a layer. */
  readonly parts: Readonly<Record<string, string>>
  /** Rotates neighbouring rows of a head's queries and keys together, where Hugging Face rotates rows half a head apart. */
  readonly pairsRows?: boolean
}

const DECODER_PARTS = {
  input_layernorm: 'attn_norm',
  post_attention_layernorm: 'ffn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
} as const

const FAMILIES: Readonly<Partial<Record<Family, GgufFamily>>> = {
  llama: { parts: DECODER_PARTS, pairsRows: true },
  olmo2: {
    parts: {
      ...DECODER_PARTS,
      post_attention_layernorm: 'post_attention_norm',
      post_feedforward_layernorm: 'post_ffw_norm',
    },
  },
  phi3: {
    parts: { ...DECODER_PARTS, 'self_attn.qkv_proj': 'attn_qkv', 'mlp.gate_up_proj': 'ffn_up' },
  },
  qwen2: { parts: DECODER_PARTS },
  qwen3: { parts: DECODER_PARTS },
  smollm3: { parts: DECODER_PARTS, pairsRows: true },
}

const OUTSIDE_LAYERS: Readonly<Record<string, string>> = {
  'model.embed_tokens': 'token_embd',
  'model.norm': 'output_norm',
  lm_head: 'output',
}

/** @throws CotuneError BENCH_GGUF_FAMILY */
export function requireGgufFamily({ family, config }: CausalModel): GgufFamily {
  const known = FAMILIES[family]
  const stretched = config.rope?.scaling.type ?? 'none'
  if (known && ['default', 'longrope', 'yarn'].includes(stretched)) return known
  throw new CotuneError(
    'BENCH_GGUF_FAMILY',
    `${family} with rotary scaling ${stretched} is not written as GGUF`,
    {
      hint: `Known: ${Object.keys(FAMILIES).join(', ')}, unscaled, with YaRN or LongRoPE.`,
      exit: 2,
    },
  )
}

export function ggufName(name: string, { parts }: GgufFamily): string {
  const [, layer, module, kind] = /^(?:model\.layers\.(\d+)\.)?(.+)\.(weight|bias)$/.exec(name)!
  if (layer === undefined) return `${OUTSIDE_LAYERS[module!]!}.${kind}`
  return `blk.${layer}.${parts[module!]!}.${kind}`
}

/** Row j of half h of each head becomes row 2 j + h (permute() of convert_hf_to_gguf.py). */
export function pairedRows(data: Float32Array, headSize: number, width: number): Float32Array {
  const half = headSize / 2
  const out = new Float32Array(data.length)
  for (let row = 0; row < data.length / width; row++) {
    const inHead = row % headSize
    const moved = row - inHead + 2 * (inHead % half) + Math.floor(inHead / half)
    out.set(data.subarray(row * width, (row + 1) * width), moved * width)
  }
  return out
}

/** LongRoPE's divisors are tensors there: ours for short texts, as {@link CausalModel} has them, at every length. */
export function ropeFactors({ config }: CausalModel): ReadonlyMap<string, Float32Array> {
  const scaling = config.rope?.scaling
  if (scaling?.type !== 'longrope') return new Map()
  const factors = Float32Array.from(scaling.shortFactors)
  return new Map(['short', 'long'].map((length) => [`rope_factors_${length}.weight`, factors]))
}

export function ggufMetadata({ family, config }: CausalModel): Readonly<Record<string, GgufValue>> {
  const { tokens, types } = madeUpTokens(config.vocabularySize)
  const rope = config.rope!
  const own: Record<string, GgufValue> = {
    context_length: { uint32: config.contextLength },
    embedding_length: { uint32: config.hiddenSize },
    block_count: { uint32: config.layers },
    feed_forward_length: { uint32: config.intermediateSize },
    'attention.head_count': { uint32: config.heads },
    'attention.head_count_kv': { uint32: config.keyValueHeads },
    'attention.key_length': { uint32: config.headSize },
    'attention.value_length': { uint32: config.headSize },
    'attention.layer_norm_rms_epsilon': { float32: config.epsilon },
    'rope.dimension_count': { uint32: config.attention[0]!.rotaryWidth },
    'rope.freq_base': { float32: rope.theta },
    vocab_size: { uint32: config.vocabularySize },
  }
  if (family === 'phi3')
    own['rope.scaling.original_context_length'] = { uint32: config.contextLength }
  if (rope.scaling.type === 'longrope')
    own['rope.scaling.attn_factor'] = { float32: rope.scaling.attentionFactor }
  if (rope.scaling.type === 'yarn') {
    own['rope.scaling.type'] = { string: 'yarn' }
    own['rope.scaling.factor'] = { float32: rope.scaling.factor }
    own['rope.scaling.original_context_length'] = { uint32: rope.scaling.originalContextLength }
  }
  const prefixed = Object.entries(own).map(([key, value]) => [`${family}.${key}`, value] as const)
  return {
    'general.architecture': { string: family },
    'general.name': { string: 'bench' },
    ...Object.fromEntries(prefixed),
    'tokenizer.ggml.model': { string: 'llama' },
    'tokenizer.ggml.tokens': { strings: tokens },
    'tokenizer.ggml.scores': { float32s: tokens.map((_, id) => -id) },
    'tokenizer.ggml.token_type': { int32s: types },
    'tokenizer.ggml.bos_token_id': { uint32: 1 },
    'tokenizer.ggml.eos_token_id': { uint32: 2 },
  }
}

/** Unknown, control, byte and normal tokens, as llama.cpp numbers these kinds. */
function madeUpTokens(count: number): { readonly tokens: string[]; readonly types: number[] } {
  const tokens = ['<unk>', '<s>', '</s>']
  const types = [2, 3, 3]
  for (let id = tokens.length; id < count; id++) {
    const byte = id - 3
    const isByte = byte < 256
    tokens.push(isByte ? `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>` : `t${byte}`)
    types.push(isByte ? 6 : 1)
  }
  return { tokens, types }
}
