import { add, multiply, type Node, scalar } from '#engine'
import type { CausalModel } from './causal-model.ts'
import { DECODER_NAMES, gatedMlp, selfAttention } from './decoder-blocks.ts'
import { decoderConfig, decoderFields } from './decoder-config.ts'
import { type HfConfig, readHfConfig } from './hf-config.ts'
import { activation, flag, headCount, only, positive, size } from './hf-fields.ts'
import type { Modules } from './modules.ts'
import { createTransformer } from './transformer.ts'

const fields = {
  ...decoderFields,
  num_key_value_heads: headCount.nullable().default(4),
  head_dim: size.nullable().default(256),
  max_position_embeddings: size.default(8_192),
  tie_word_embeddings: flag.default(true),
  attention_bias: flag.default(false),
  // `hidden_act` is what older files call it; transformers reads `hidden_activation` alone.
  hidden_activation: activation.default('gelu_pytorch_tanh'),
  query_pre_attn_scalar: positive.default(256),
  sliding_window: size.nullable().default(4_096),
  attn_logit_softcapping: positive.nullable().default(50),
  final_logit_softcapping: positive.nullable().default(30),
  use_bidirectional_attention: only(false),
} as const

/** Weights of Gemma's normalisations are differences from 1. */
const NORM = { offset: 1 } as const

/**
 * Gemma 2 (Riviere et al. 2024; transformers `modeling_gemma2.py`): normalisation before and after each block, layers
 * that attend within a window and to everything by turns, soft caps on scores and logits, scaled embeddings.
 */
export function createGemma2(source: HfConfig): CausalModel {
  const hf = readHfConfig(source, fields)
  const config = decoderConfig(hf, {
    family: 'gemma2',
    window: hf.sliding_window ?? undefined,
    slides: (layer) => layer % 2 === 0,
    attention: {
      scale: 1 / Math.sqrt(hf.query_pre_attn_scalar),
      ...(hf.attn_logit_softcapping === null ? {} : { softcap: hf.attn_logit_softcapping }),
    },
    variant: {
      activation: hf.hidden_activation,
      finalSoftcap: hf.final_logit_softcapping,
    },
  })
  const biases = { queryKeyValueBias: hf.attention_bias, outputBias: hf.attention_bias }
  const mlp = { activation: hf.hidden_activation }
  const norm = (x: Node, module: string, at: Modules) => at.rmsNorm(x, module, NORM)
  return createTransformer({
    config,
    source,
    names: DECODER_NAMES,
    enter: (embedded) => multiply(embedded, scalar(Math.sqrt(config.hiddenSize))),
    layer: (x, at, attend) => {
      const read = norm(x, 'input_layernorm', at)
      const mixed = selfAttention(read, at, attend, config, biases)
      const between = add(x, norm(mixed, 'post_attention_layernorm', at))
      const thought = gatedMlp(norm(between, 'pre_feedforward_layernorm', at), at, config, mlp)
      return add(between, norm(thought, 'post_feedforward_layernorm', at))
    },
    leave: (x, at) => norm(x, 'model.norm', at),
    head: { softcap: hf.final_logit_softcapping ?? undefined },
  })
}
