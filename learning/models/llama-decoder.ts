import type { CausalModel } from './causal-model.ts'
import {
  DECODER_NAMES,
  type GatedMlpOptions,
  gatedMlp,
  preNormLayer,
  type SelfAttentionOptions,
  selfAttention,
} from './decoder-blocks.ts'
import { createTransformer, type TransformerInit } from './transformer.ts'

/** What tells the families apart that share Llama's decoder. */
export interface LlamaDecoderInit extends Pick<TransformerInit, 'config' | 'source'> {
  readonly attention: SelfAttentionOptions
  readonly mlp: GatedMlpOptions
}

/** Llama's decoder: attention and a gated MLP, each of which reads a normalised copy, as the head does. */
export function createLlamaDecoder(init: LlamaDecoderInit): CausalModel {
  const { config, source, attention, mlp } = init
  return createTransformer({
    config,
    source,
    names: DECODER_NAMES,
    layer: (x, at, attend) =>
      preNormLayer(
        x,
        at,
        (read) => selfAttention(read, at, attend, config, attention),
        (read) => gatedMlp(read, at, config, mlp),
      ),
    leave: (x, at) => at.rmsNorm(x, 'model.norm'),
  })
}
