import { sizeOf } from '#engine'
import type { CausalModel } from './causal-model.ts'

/** How many numbers a model has; tied ones count once. */
export function countParameters({ parameters }: Pick<CausalModel, 'parameters'>): number {
  return [...parameters.values()].reduce((sum, shape) => sum + sizeOf(shape), 0)
}
