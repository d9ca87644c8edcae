import type { AdapterWeights } from '#learning/lora'

export type ModelRole = 'slm' | 'dpm' | 'llm'

export interface TuningProgress {
  readonly phase: 'dst' | 'saml' | 'baseline' | 'evaluate' | 'distil'
  readonly model: ModelRole
  readonly step: number
  readonly steps: number
  readonly loss: number
  readonly tokensPerSecond: number
}

export type OnProgress = (progress: TuningProgress) => void

/** Per cent, but for the perplexity, which is per UTF-8 byte of the answer. */
export interface Scores {
  readonly em: number
  readonly rougeL: number
  readonly examples: number
  readonly perplexityPerByte: number
}

export type { AdapterWeights }

/** What a device keeps of its learning from round to round. Neither part ever leaves it. */
export interface DeviceState {
  /** The small model's: all parameters, or its adapter. */
  readonly slm: AdapterWeights
  /** The proxy model's private domain adapter. */
  readonly domain: AdapterWeights
}
