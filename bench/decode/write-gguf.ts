import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { CotuneError, writeFileAtomic } from '#base'
import { sizeOf } from '#engine'
import { type CausalModel, openCheckpoint } from '#learning/models'
import { encodeGguf, GGML_TYPES, type GgufType, ggufBytes } from './gguf-blocks.ts'
import { type GgufTensor, type GgufValue, ggufHeader, padding } from './gguf-header.ts'

/**
 * A Llama's checkpoint as a GGUF file beside it, for llama.cpp: the same model, every matrix in `type`. The tokenizer in it is
 * made up: the bench speaks in token ids. Written once.
 *
 * @returns the file
 * @throws CotuneError BENCH_GGUF_FAMILY
 */
export async function writeGguf(folder: string, type: GgufType): Promise<string> {
  const path = join(folder, `model-${type}.gguf`)
  if (existsSync(path)) return path
  const { model, tensors } = await openCheckpoint(folder)
  if (model.family !== 'llama' || !model.config.tiedHead)
    throw new CotuneError('BENCH_GGUF_FAMILY', 'only Llamas with a tied head are written as GGUF', {
      hint: '--shape smollm2-135m|5m',
      exit: 2,
    })
  const listed = [...model.parameters].map(([name, shape]) => describeTensor(name, shape, type))
  await writeFileAtomic(
    path,
    (async function* () {
      yield ggufHeader(metadataOf(model), listed)
      for (const [index, [name, tensor]] of [...tensors].entries()) {
        const data = (await tensor.read()).data as Float32Array
        const { shape, bytes } = listed[index]!
        const kind = shape.length === 1 ? 'f32' : type
        yield encodeGguf(kind, pairedRows(name, data, model))
        yield padding(bytes)
      }
    })(),
  )
  return path
}

function describeTensor(name: string, shape: readonly number[], type: GgufType): GgufTensor {
  // Norms stay as they are.
  const kind = shape.length === 1 ? 'f32' : type
  return {
    name: ggufName(name),
    shape,
    type: GGML_TYPES[kind],
    bytes: ggufBytes(kind, sizeOf(shape)),
  }
}

const NAMES: Readonly<Record<string, string>> = {
  'model.embed_tokens': 'token_embd',
  'model.norm': 'output_norm',
  input_layernorm: 'attn_norm',
  post_attention_layernorm: 'ffn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
}

function ggufName(name: string): string {
  const [, layer, part] = /^(?:model\.layers\.(\d+)\.)?(.+)\.weight$/.exec(name)!
  const own = `${NAMES[part!]!}.weight`
  return layer === undefined ? own : `blk.${layer}.${own}`
}

/**
 * llama.cpp rotates neighbouring rows of a Llama's queries and keys together, Hugging Face rows half a head apart: row j of half h
 * becomes row 2 j + h (permute() of convert_hf_to_gguf.py).
 */
function pairedRows(name: string, data: Float32Array, { config }: CausalModel): Float32Array {
  if (!/\.self_attn\.[qk]_proj\.weight$/.test(name)) return data
  const { headSize, hiddenSize } = config
  const half = headSize / 2
  const out = new Float32Array(data.length)
  for (let row = 0; row < data.length / hiddenSize; row++) {
    const inHead = row % headSize
    const moved = row - inHead + 2 * (inHead % half) + Math.floor(inHead / half)
    out.set(data.subarray(row * hiddenSize, (row + 1) * hiddenSize), moved * hiddenSize)
  }
  return out
}

function metadataOf({ config }: CausalModel): Readonly<Record<string, GgufValue>> {
  const { tokens, types } = madeUpTokens(config.vocabularySize)
  return {
    'general.architecture': { string: 'llama' },
    'general.name': { string: 'bench' },
    'llama.context_length': { uint32: config.contextLength },
    'llama.embedding_length': { uint32: config.hiddenSize },
    'llama.block_count': { uint32: config.layers },
    'llama.feed_forward_length': { uint32: config.intermediateSize },
    'llama.attention.head_count': { uint32: config.heads },
    'llama.attention.head_count_kv': { uint32: config.keyValueHeads },
    'llama.attention.layer_norm_rms_epsilon': { float32: config.epsilon },
    'llama.rope.dimension_count': { uint32: config.headSize },
    'llama.rope.freq_base': { float32: config.rope!.theta },
    'llama.vocab_size': { uint32: config.vocabularySize },
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
