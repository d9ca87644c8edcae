import { type Node, variable, type WeightValue, weight } from '#engine'
import type { ParameterScope } from './causal-model.ts'

/**
 * A scope that makes each parameter's leaf once and shares it from then on: a program refuses two leaves of one name,
 * and a tied head asks for the embedding twice.
 */
export function createScope(
  parameter: (name: string, shape: readonly number[]) => Node,
): ParameterScope {
  const made = new Map<string, Node>()
  return {
    parameter: (name, shape) => {
      const node = made.get(name) ?? parameter(name, shape)
      made.set(name, node)
      return node
    },
  }
}

/** Every parameter a frozen weight, held as its value is: for tuning by adapters only, and for teachers. */
export function frozenScope(weights: ReadonlyMap<string, WeightValue> = new Map()): ParameterScope {
  return createScope((name, shape) => frozenWeight(name, shape, weights))
}

/** A parameter as a frozen weight, held as its value is. */
export function frozenWeight(
  name: string,
  shape: readonly number[],
  weights: ReadonlyMap<string, WeightValue>,
): Node {
  const value = weights.get(name)
  return weight(name, shape, value?.dtype === 'blocks' ? value.format : 'float32')
}

/** Every parameter a variable: for full tuning, and for decoding with weights that change. */
export const variableScope = (): ParameterScope => createScope(variable)
