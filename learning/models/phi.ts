import { add, type Node, reshape } from '#engine'
import { activate } from './activations.ts'
import type { Attend } from './attention-pass.ts'
import type { CausalModel } from './causal-model.ts'
import { DECODER_NAMES } from './decoder-blocks.ts'
import { decoderConfig, transformerFields } from './decoder-config.ts'
import { type HfConfig, readHfConfig } from './hf-config.ts'
import { activation, flag, headCount, positive, size } from './hf-fields.ts'
import type { Modules } from './modules.ts'
import { createTransformer } from './transformer.ts'

const fields = {
  ...transformerFields,
  num_key_value_heads: headCount.nullish(),
  head_dim: size.nullish(),
  layer_norm_eps: positive.default(1e-5),
  hidden_act: activation.default('gelu_new'),
  qk_layernorm: flag.default(false),
} as const

const BIAS = { bias: true } as const

/**
 * Phi 1, 1.5 and 2 (Li et al. 2023; transformers `modeling_phi.py`): attention and MLP side by side on one normalised
 * copy, a part of each head rotated, biases everywhere, also on the head.
 */
export function createPhi(source: HfConfig): CausalModel {
  const hf = readHfConfig(source, fields)
  const config = decoderConfig(
    { ...hf, rms_norm_eps: hf.layer_norm_eps },
    { family: 'phi', defaultPart: 0.5, variant: { normalisedHeads: hf.qk_layernorm } },
  )
  const { hiddenSize, heads, keyValueHeads, headSize } = config

  const attention = (x: Node, at: Modules, attend: Attend): Node => {
    const normalise = (y: Node, module: string): Node =>
      hf.qk_layernorm ? at.layerNorm(reshape(y, [y.shape[0]!, -1, headSize]), module) : y
    const queries = normalise(at.linear(x, 'q_proj', heads * headSize, BIAS), 'q_layernorm')
    const keys = normalise(at.linear(x, 'k_proj', keyValueHeads * headSize, BIAS), 'k_layernorm')
    const values = at.linear(x, 'v_proj', keyValueHeads * headSize, BIAS)
    return at.linear(attend(queries, keys, values), 'dense', hiddenSize, BIAS)
  }
  return createTransformer({
    config,
    source,
    names: DECODER_NAMES,
    layer: (x, at, attend) => {
      const read = at.layerNorm(x, 'input_layernorm')
      const mixed = attention(read, at.within('self_attn'), attend)
      const thought = at.linear(read, 'mlp.fc1', config.intermediateSize, BIAS)
      const active = activate(thought, hf.hidden_act)
      return add(add(mixed, at.linear(active, 'mlp.fc2', hiddenSize, BIAS)), x)
    },
    leave: (x, at) => at.layerNorm(x, 'model.final_layernorm'),
    head: { bias: true },
  })
}
