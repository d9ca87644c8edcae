import { type Node, variable, weight } from '#engine'
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

/** Every parameter a frozen weight: for tuning by adapters only, and for teachers. */
export const frozenScope = (): ParameterScope => createScope(weight)

/** Every parameter a variable: for full tuning, and for decoding with weights that change. */
export const variableScope = (): ParameterScope => createScope(variable)
