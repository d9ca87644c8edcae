import { add, constant, type Node } from '#engine'
import { activate } from './activations.ts'
import type { Attend } from './attention-pass.ts'
import type { CausalModel, ModelConfig } from './causal-model.ts'
import { headSizes } from './decoder-config.ts'
import { type HfConfig, readHfConfig } from './hf-config.ts'
import { activation, commonFields, flag, headCount, layerCount, only, size } from './hf-fields.ts'
import type { Modules } from './modules.ts'
import { createTransformer } from './transformer.ts'

const fields = {
  ...commonFields,
  hidden_size: size,
  ffn_dim: size,
  num_hidden_layers: layerCount,
  num_attention_heads: headCount,
  max_position_embeddings: size.default(2_048),
  word_embed_proj_dim: size.nullish(),
  activation_function: activation.default('relu'),
  enable_bias: flag.default(true),
  tie_word_embeddings: flag.default(true),
  _remove_final_layer_norm: flag.default(false),
  do_layer_norm_before: flag.default(true),
  layer_norm_elementwise_affine: only(true),
  // OPT-13B's; transformers does not read it.
  output_projection: only(true),
} as const

/** The first rows of the table of positions stand for padding. */
const POSITION_OFFSET = 2
const EPSILON = 1e-5

/**
 * OPT (Zhang et al. 2022; transformers `modeling_opt.py`): learned positions, layer normalisation before each block,
 * ReLU. OPT-350M normalises after each block instead and not at the end, and its embedding is narrower than its layers.
 */
export function createOpt(source: HfConfig): CausalModel {
  const hf = readHfConfig(source, fields)
  const config = configOf(hf)
  const { hiddenSize: width, embeddingSize } = config
  const bias = { bias: hf.enable_bias }
  const before = hf.do_layer_norm_before

  const attention = (x: Node, at: Modules, attend: Attend): Node => {
    const [queries, keys, values] = ['q_proj', 'k_proj', 'v_proj'].map((module) =>
      at.linear(x, module, width, bias),
    )
    return at.linear(attend(queries!, keys!, values!), 'out_proj', width, bias)
  }
  return createTransformer({
    config,
    source,
    names: {
      embedding: 'model.decoder.embed_tokens',
      layers: 'model.decoder.layers',
      head: 'lm_head',
    },
    enter: (embedded, { positions }, at) => {
      const x =
        embeddingSize === undefined
          ? embedded
          : at.linear(embedded, 'model.decoder.project_in', width)
      const rows = add(positions, constant(Int32Array.of(POSITION_OFFSET), []))
      const count = config.contextLength + POSITION_OFFSET
      return add(x, at.embed(rows, 'model.decoder.embed_positions', count, width))
    },
    layer: (x, at, attend) => {
      const block = (y: Node, norm: string, compute: (read: Node) => Node): Node =>
        before ? add(y, compute(at.layerNorm(y, norm))) : at.layerNorm(add(y, compute(y)), norm)
      const between = block(x, 'self_attn_layer_norm', (read) =>
        attention(read, at.within('self_attn'), attend),
      )
      return block(between, 'final_layer_norm', (read) => {
        const thought = at.linear(read, 'fc1', hf.ffn_dim, bias)
        return at.linear(activate(thought, hf.activation_function), 'fc2', width, bias)
      })
    },
    leave: (x, at) => {
      const bare = hf._remove_final_layer_norm || !before
      const y = bare ? x : at.layerNorm(x, 'model.decoder.final_layer_norm')
      return embeddingSize === undefined
        ? y
        : at.linear(y, 'model.decoder.project_out', embeddingSize)
    },
  })
}

function configOf(hf: ReturnType<typeof readHfConfig<typeof fields>>): ModelConfig {
  const sizes = headSizes(hf)
  const embeddingSize = hf.word_embed_proj_dim ?? hf.hidden_size
  const layer = { scale: 1 / Math.sqrt(sizes.headSize), rotaryWidth: 0 }
  return {
    family: 'opt',
    vocabularySize: hf.vocab_size,
    hiddenSize: hf.hidden_size,
    ...(embeddingSize === hf.hidden_size ? {} : { embeddingSize }),
    layers: hf.num_hidden_layers,
    ...sizes,
    intermediateSize: hf.ffn_dim,
    contextLength: hf.max_position_embeddings,
    tiedHead: hf.tie_word_embeddings,
    epsilon: EPSILON,
    rope: undefined,
    attention: Array.from({ length: hf.num_hidden_layers }, () => layer),
    variant: {
      activation: hf.activation_function,
      finalNorm: !hf._remove_final_layer_norm,
      ...(hf.do_layer_norm_before ? {} : { normalisesAfter: true }),
    },
    eosIds: hf.eos_token_id,
    bosId: hf.bos_token_id ?? undefined,
  }
}
