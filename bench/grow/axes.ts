import type { HfConfig } from '#learning/models'
import type { StepWork } from '../flops.ts'

/** A model and a batch by their sizes. */
export interface GrowPoint {
  readonly batch: number
  readonly length: number
  readonly depth: number
  readonly width: number
  readonly vocabulary: number
}

export type Axis = keyof GrowPoint

/** Where every axis passes through. */
export const CENTRE: GrowPoint = { batch: 4, length: 128, depth: 4, width: 256, vocabulary: 4_096 }

export const AXES: Readonly<Record<Axis, readonly number[]>> = {
  batch: [1, 2, 4, 8, 16],
  length: [32, 64, 128, 256, 512],
  depth: [1, 2, 4, 8, 16],
  width: [128, 256, 512, 1_024],
  vocabulary: [2_048, 4_096, 8_192, 16_384, 32_768],
}

const HEAD_SIZE = 64

/** A Llama of the point's sizes, the MLP in the usual proportion. */
export function configOf({ depth, width, vocabulary, length }: GrowPoint): HfConfig {
  return {
    model_type: 'llama',
    vocab_size: vocabulary,
    hidden_size: width,
    intermediate_size: (width * 11) / 4,
    num_hidden_layers: depth,
    num_attention_heads: width / HEAD_SIZE,
    num_key_value_heads: width / HEAD_SIZE,
    max_position_embeddings: length,
    tie_word_embeddings: true,
    eos_token_id: 2,
  }
}

/** LoRA on all linear layers, as in the step bench. */
export function workOf({ batch, length }: GrowPoint): StepWork {
  return { batch, length, trained: 'all', rank: 8 }
}

/** The points of an axis, small to large. */
export function pointsOf(axis: Axis): readonly GrowPoint[] {
  return AXES[axis].map((value) => ({ ...CENTRE, [axis]: value }))
}
