import type { Tensor } from '#engine'
import type { AdapterLayer, AdapterWeights } from '#learning/lora'
import type { TunedModel } from './tuned-model.ts'

/** What lies on top of a base. */
export interface Tuned {
  /** Parameters that replace the base's own, after full tuning. */
  readonly parameters?: ReadonlyMap<string, Tensor>
  readonly adapters?: readonly TunedAdapter[]
}

export interface TunedAdapter extends AdapterLayer {
  readonly weights: AdapterWeights
}

/** The base with the parameters that replace its own. */
export function withParameters(
  { checkpoint }: TunedModel,
  { parameters }: Tuned,
): TunedModel['checkpoint'] {
  if (!parameters) return checkpoint
  return { ...checkpoint, weights: new Map([...checkpoint.weights, ...parameters]) }
}
