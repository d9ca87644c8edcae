import { add, type Node } from '#engine'
import type { Attend } from './attention-pass.ts'
import type { CausalModel } from './causal-model.ts'
import {
  DECODER_NAMES,
  type GatedMlpOptions,
  gatedMlp,
  type SelfAttentionOptions,
  selfAttention,
} from './decoder-blocks.ts'
import type { Modules } from './modules.ts'
import { createTransformer, type TransformerInit } from './transformer.ts'

type Sizes = Pick<TransformerInit, 'config' | 'source'>

/** What tells the families apart that share Llama's decoder. */
export interface LlamaDecoderInit extends Sizes {
  readonly attention: SelfAttentionOptions
  readonly mlp: GatedMlpOptions
}

/** Llama's decoder with Llama's own blocks: attention and a gated MLP. */
export function createLlamaDecoder(init: LlamaDecoderInit): CausalModel {
  const { config, source, attention, mlp } = init
  return createPreNormDecoder({
    config,
    source,
    attention: (x, at, attend) => selfAttention(x, at, attend, config, attention),
    mlp: (x, at) => gatedMlp(x, at, config, mlp),
  })
}

export interface PreNormDecoderInit extends Sizes {
  /** [B * S, hiddenSize] -> [B * S, hiddenSize], as is the MLP. */
  readonly attention: (x: Node, at: Modules, attend: Attend) => Node
  readonly mlp: (x: Node, at: Modules) => Node
}

/** Llama's decoder around any two blocks: each reads a normalised copy of what it adds to, as does the head. */
export function createPreNormDecoder(init: PreNormDecoderInit): CausalModel {
  const { config, source, attention, mlp } = init
  return createTransformer({
    config,
    source,
    names: DECODER_NAMES,
    layer: (x, at, attend) => {
      const between = add(x, attention(at.rmsNorm(x, 'input_layernorm'), at, attend))
      return add(between, mlp(at.rmsNorm(between, 'post_attention_layernorm'), at))
    },
    leave: (x, at) => at.rmsNorm(x, 'model.norm'),
  })
}
