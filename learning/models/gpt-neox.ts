import { add, type Node } from '#engine'
import { activate } from './activations.ts'
import { splitInterleaved } from './attention.ts'
import type { Attend } from './attention-pass.ts'
import type { CausalModel } from './causal-model.ts'
import { decoderConfig, transformerFields } from './decoder-config.ts'
import { type HfConfig, readHfConfig } from './hf-config.ts'
import { activation, flag, positive } from './hf-fields.ts'
import type { Modules } from './modules.ts'
import { createTransformer } from './transformer.ts'

const fields = {
  ...transformerFields,
  rotary_pct: positive.default(0.25),
  rotary_emb_base: positive.default(10_000),
  layer_norm_eps: positive.default(1e-5),
  hidden_act: activation.default('gelu'),
  use_parallel_residual: flag.default(true),
  attention_bias: flag.default(true),
} as const

/**
 * GPT-NeoX and Pythia (Black et al. 2022; transformers `modeling_gpt_neox.py`): a part of each head rotated, one joint
 * projection that lies head by head, attention and MLP side by side or, as in GPT-2, one after the other.
 */
export function createGptNeox(source: HfConfig): CausalModel {
  const hf = readHfConfig(source, fields)
  const config = decoderConfig(
    {
      ...hf,
      rms_norm_eps: hf.layer_norm_eps,
      // transformers overwrites what a file calls `rope_theta` and `partial_rotary_factor`.
      rope_theta: hf.rotary_emb_base,
      partial_rotary_factor: hf.rotary_pct,
    },
    {
      family: 'gpt_neox',
      defaultPart: hf.rotary_pct,
      variant: { parallel: hf.use_parallel_residual },
    },
  )
  const width = config.hiddenSize

  const attention = (x: Node, at: Modules, attend: Attend): Node => {
    const bias = { bias: hf.attention_bias }
    const joint = at.linear(x, 'attention.query_key_value', 3 * width, bias)
    const [queries, keys, values] = splitInterleaved(joint, config.heads)
    return at.linear(attend(queries!, keys!, values!), 'attention.dense', width, bias)
  }
  const mlp = (x: Node, at: Modules): Node => {
    const thought = at.linear(x, 'mlp.dense_h_to_4h', config.intermediateSize, { bias: true })
    return at.linear(activate(thought, hf.hidden_act), 'mlp.dense_4h_to_h', width, { bias: true })
  }
  return createTransformer({
    config,
    source,
    names: { embedding: 'gpt_neox.embed_in', layers: 'gpt_neox.layers', head: 'embed_out' },
    layer: (x, at, attend) => {
      const mixed = attention(at.layerNorm(x, 'input_layernorm'), at, attend)
      const between = add(x, mixed)
      const read = hf.use_parallel_residual ? x : between
      return add(between, mlp(at.layerNorm(read, 'post_attention_layernorm'), at))
    },
    leave: (x, at) => at.layerNorm(x, 'gpt_neox.final_layer_norm'),
  })
}
