import type { Recompute } from '#engine'
import type { BasePrecision } from '#learning/models'
import type { Trained } from '../flops.ts'

/** A training on text, with the schedule of a real one. */
export interface TextSpec {
  readonly files: readonly string[]
  /** How many will be taken: the learning rate warms up, then goes down over them. */
  readonly steps: number
}

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
  /** A text to train on; else one batch of made-up tokens, over and over, at one learning rate. */
  readonly text?: TextSpec
}
