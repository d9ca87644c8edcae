import { add, type Node } from '#engine'
import type { CausalModel } from './causal-model.ts'
import { DECODER_NAMES, gatedMlp, selfAttention } from './decoder-blocks.ts'
import { decoderConfig, decoderFields } from './decoder-config.ts'
import { type HfConfig, readHfConfig } from './hf-config.ts'
import { flag, positive } from './hf-fields.ts'
import type { Modules } from './modules.ts'
import { createTransformer } from './transformer.ts'

const fields = {
  ...decoderFields,
  rms_norm_eps: positive.default(1e-5),
  attention_bias: flag.default(false),
} as const

/**
 * OLMo 2 (Walsh et al. 2024; transformers `modeling_olmo2.py`): each block's output is normalised rather than its input,
 * and queries and keys over their whole width.
 */
export function createOlmo2(source: HfConfig): CausalModel {
  const hf = readHfConfig(source, fields)
  const config = decoderConfig(hf, { family: 'olmo2' })
  const attention = {
    queryKeyValueBias: hf.attention_bias,
    outputBias: hf.attention_bias,
    normalise: (x: Node, module: string, at: Modules) => at.rmsNorm(x, module),
  }
  const mlp = { activation: hf.hidden_act }
  return createTransformer({
    config,
    source,
    names: DECODER_NAMES,
    layer: (x, at, attend) => {
      const mixed = selfAttention(x, at, attend, config, attention)
      const between = add(x, at.rmsNorm(mixed, 'post_attention_layernorm'))
      const thought = gatedMlp(between, at, config, mlp)
      return add(between, at.rmsNorm(thought, 'post_feedforward_layernorm'))
    },
    leave: (x, at) => at.rmsNorm(x, 'model.norm'),
  })
}
