import type { Recompute } from '#engine'
import type { BasePrecision } from '#learning/models'
import type { Trained } from '../flops.ts'

/** What each contender of the step bench is told; ours and peers alike. */
export interface StepSpec {
  /** A Hugging Face folder: config.json, model.safetensors. */
  readonly folder: string
  readonly batch: number
  readonly length: number
  readonly trained: Trained
  readonly rank: number
  readonly alpha: number
  readonly learningRate: number
  readonly threads: number
  /** How the frozen weights are held. */
  readonly base: BasePrecision
  /** What ours makes again in the backward pass instead of keeping it; the peers keep all. */
  readonly recompute?: Recompute
  /** Whether ours packs the frozen weights. */
  readonly packWeights?: boolean
  /** Files of text to train on; else one batch of made-up tokens, over and over. */
  readonly text?: readonly string[]
}
