import type { Trained } from '../flops.ts'

/** How the frozen weights are held. */
export type Base = 'float32'

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
  readonly base: Base
  /** Files of text to train on; else one batch of made-up tokens, over and over. */
  readonly text?: readonly string[]
}
