import { add, type Node, tanhGelu } from '#engine'
import { splitInterleaved } from './attention.ts'
import type { Attend } from './attention-pass.ts'
import type { CausalModel, ModelConfig } from './causal-model.ts'
import { headSizes } from './decoder-config.ts'
import { configUnsupported, type HfConfig, readHfConfig, withOwnNames } from './hf-config.ts'
import { commonFields, flag, headCount, layerCount, positive, size } from './hf-fields.ts'
import type { Modules } from './modules.ts'
import { createTransformer } from './transformer.ts'

const fields = {
  ...commonFields,
  hidden_size: size,
  n_layer: layerCount,
  n_head: headCount,
  n_inner: size.nullish(),
  seq_length: size.nullish(),
  offset_alibi: size.nullish(),
  layer_norm_epsilon: positive.default(1e-5),
  apply_residual_connection_post_layernorm: flag.default(false),
  tie_word_embeddings: flag.default(true),
} as const

const OWN_NAMES = {
  n_embed: 'hidden_size',
  num_hidden_layers: 'n_layer',
  num_attention_heads: 'n_head',
} as const

/** ALiBi has no limit of its own; `seq_length` of the training is often left out or a test's. */
const TRAINED_LENGTH = 2_048

const BIAS = { bias: true } as const

/**
 * BLOOM (Le Scao et al. 2022; transformers `modeling_bloom.py`): distances by ALiBi instead of positions, a normalised
 * embedding, one joint projection that lies head by head. The hub's files leave the prefix `transformer.` out.
 */
export function createBloom(source: HfConfig): CausalModel {
  const hf = readHfConfig(withOwnNames(source, OWN_NAMES), fields)
  const config = configOf(hf)
  const width = config.hiddenSize

  const attention = (x: Node, at: Modules, attend: Attend): Node => {
    const joint = at.linear(x, 'query_key_value', 3 * width, BIAS)
    const [queries, keys, values] = splitInterleaved(joint, config.heads)
    return at.linear(attend(queries!, keys!, values!), 'dense', width, BIAS)
  }
  return createTransformer({
    config,
    source,
    names: { embedding: 'transformer.word_embeddings', layers: 'transformer.h', head: 'lm_head' },
    enter: (x, _, at) => at.layerNorm(x, 'transformer.word_embeddings_layernorm'),
    layer: (x, at, attend) => {
      const base = (plain: Node, normalised: Node): Node =>
        hf.apply_residual_connection_post_layernorm ? normalised : plain
      const read = at.layerNorm(x, 'input_layernorm')
      const mixed = attention(read, at.within('self_attention'), attend)
      const between = add(base(x, read), mixed)
      const reread = at.layerNorm(between, 'post_attention_layernorm')
      const thought = at.linear(reread, 'mlp.dense_h_to_4h', config.intermediateSize, BIAS)
      const written = at.linear(tanhGelu(thought), 'mlp.dense_4h_to_h', width, BIAS)
      return add(base(between, reread), written)
    },
    leave: (x, at) => at.layerNorm(x, 'transformer.ln_f'),
  })
}

function configOf(hf: ReturnType<typeof readHfConfig<typeof fields>>): ModelConfig {
  const { hidden_size: hiddenSize, n_layer: layers } = hf
  const sizes = headSizes({ hidden_size: hiddenSize, num_attention_heads: hf.n_head })
  if (hf.n_inner != null && hf.n_inner !== 4 * hiddenSize)
    throw configUnsupported('n_inner', hf.n_inner, `supported: 4 x hidden_size, ${4 * hiddenSize}`)
  const layer = {
    scale: 1 / Math.sqrt(sizes.headSize),
    rotaryWidth: 0,
    alibiSlopes: alibiSlopes(sizes.heads),
  }
  return {
    family: 'bloom',
    vocabularySize: hf.vocab_size,
    hiddenSize,
    layers,
    ...sizes,
    intermediateSize: 4 * hiddenSize,
    contextLength: Math.max(TRAINED_LENGTH, hf.seq_length ?? 0),
    tiedHead: hf.tie_word_embeddings,
    epsilon: hf.layer_norm_epsilon,
    rope: undefined,
    attention: Array.from({ length: layers }, () => layer),
    variant: { postNormResidual: hf.apply_residual_connection_post_layernorm },
    eosIds: hf.eos_token_id,
    bosId: hf.bos_token_id ?? undefined,
  }
}

/**
 * Press et al. (2022): 2^(-8 i / n) for the i-th of n heads where n is a power of two; else those of the power of two
 * below, and every other one of the power above.
 */
function alibiSlopes(heads: number): readonly number[] {
  const below = 2 ** Math.floor(Math.log2(heads))
  const first = Array.from({ length: below }, (_, i) => 2 ** ((-8 * (i + 1)) / below))
  const rest = Array.from({ length: heads - below }, (_, i) => 2 ** ((-4 * (2 * i + 1)) / below))
  return [...first, ...rest]
}
