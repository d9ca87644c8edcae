import type { ModelConfig } from './causal-model.ts'

/** Columns of one head in a key-value cache: `cachedAttention` reads eight at a time, so heads are filled up with zeros. */
export function cachedHeadSize({ headSize }: Pick<ModelConfig, 'headSize'>): number {
  return 8 * Math.ceil(headSize / 8)
}
