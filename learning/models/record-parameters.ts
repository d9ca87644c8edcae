import { input, type Node, weight } from '#engine'
import type { CausalModel, Linear, ParameterScope } from './causal-model.ts'

/** The parameters and linear layers that a model asks its scope for, in the order of their first use. */
export function recordParameters(
  hidden: CausalModel['hidden'],
  logits: CausalModel['logits'],
): Pick<CausalModel, 'parameters' | 'linears'> {
  const parameters = new Map<string, readonly number[]>()
  const linears: Linear[] = []
  const scope: ParameterScope = {
    parameter: (name, shape): Node => {
      parameters.set(name, shape)
      return weight(name, shape)
    },
    linear: (layer) => {
      linears.push(layer)
      return undefined
    },
  }
  const token = (name: string) => input(name, [1, 1], 'int32')
  const { states } = hidden({ tokens: token('tokens'), positions: token('positions') }, scope)
  logits(states, scope)
  return { parameters, linears }
}
