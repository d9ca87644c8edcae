import { add } from '#engine'
import { activate } from './activations.ts'
import { splitColumns } from './attention.ts'
import type { CausalModel, ModelConfig } from './causal-model.ts'
import { configInvalid, type HfConfig, readHfConfig, withOwnNames } from './hf-config.ts'
import {
  activation,
  commonFields,
  flag,
  headCount,
  layerCount,
  positive,
  size,
} from './hf-fields.ts'
import { createTransformer } from './transformer.ts'

const fields = {
  ...commonFields,
  n_embd: size,
  n_layer: layerCount,
  n_head: headCount,
  n_positions: size.default(1024),
  n_ctx: size.nullish(),
  n_inner: size.nullish(),
  activation_function: activation.default('gelu_new'),
  layer_norm_epsilon: positive.default(1e-5),
  scale_attn_weights: flag.default(true),
  scale_attn_by_inverse_layer_idx: flag.default(false),
  tie_word_embeddings: flag.default(true),
} as const

const OWN_NAMES = {
  hidden_size: 'n_embd',
  num_hidden_layers: 'n_layer',
  num_attention_heads: 'n_head',
  max_position_embeddings: 'n_positions',
} as const

/** `Conv1D`: weights lie [input, output]. */
const CONV = { bias: true, layout: 'input-output' } as const

/**
 * GPT-2 (Radford et al. 2019; transformers `modeling_gpt2.py`): learned positions, layer normalisation before each
 * block, one joint projection for queries, keys and values. Names are those of `GPT2LMHeadModel`; the hub's files leave
 * the prefix `transformer.` out and hold mask buffers.
 */
export function createGpt2(source: HfConfig): CausalModel {
  const hf = readHfConfig(withOwnNames(source, OWN_NAMES), fields)
  const width = hf.n_embd
  const config = configOf(hf)
  return createTransformer({
    config,
    source,
    names: { embedding: 'transformer.wte', layers: 'transformer.h', head: 'lm_head' },
    enter: (x, { positions }, at) =>
      add(x, at.embed(positions, 'transformer.wpe', hf.n_positions, width)),
    layer: (x, at, attend) => {
      const joint = at.linear(at.layerNorm(x, 'ln_1'), 'attn.c_attn', 3 * width, CONV)
      const [queries, keys, values] = splitColumns(joint, [width, width, width])
      const mixed = attend(queries!, keys!, values!)
      const between = add(x, at.linear(mixed, 'attn.c_proj', width, CONV))
      const read = at.layerNorm(between, 'ln_2')
      const thought = at.linear(read, 'mlp.c_fc', config.intermediateSize, CONV)
      const active = activate(thought, hf.activation_function)
      return add(between, at.linear(active, 'mlp.c_proj', width, CONV))
    },
    leave: (x, at) => at.layerNorm(x, 'transformer.ln_f'),
  })
}

function configOf(hf: ReturnType<typeof readHfConfig<typeof fields>>): ModelConfig {
  const headSize = hf.n_embd / hf.n_head
  if (!Number.isInteger(headSize))
    throw configInvalid('n_head', `n_embd ${hf.n_embd} is not divisible by n_head ${hf.n_head}`)
  const scale = hf.scale_attn_weights ? 1 / Math.sqrt(headSize) : 1
  return {
    family: 'gpt2',
    vocabularySize: hf.vocab_size,
    hiddenSize: hf.n_embd,
    layers: hf.n_layer,
    heads: hf.n_head,
    keyValueHeads: hf.n_head,
    headSize,
    intermediateSize: hf.n_inner ?? 4 * hf.n_embd,
    contextLength: hf.n_positions,
    tiedHead: hf.tie_word_embeddings,
    epsilon: hf.layer_norm_epsilon,
    rope: undefined,
    attention: Array.from({ length: hf.n_layer }, (_, layer) => ({
      scale: hf.scale_attn_by_inverse_layer_idx ? scale / (layer + 1) : scale,
      rotaryWidth: 0,
    })),
    variant: { activation: hf.activation_function },
    eosIds: hf.eos_token_id,
    bosId: hf.bos_token_id ?? undefined,
  }
}
