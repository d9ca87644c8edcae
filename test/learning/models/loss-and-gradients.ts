import {
  createProgram,
  gatherLast,
  gradients,
  input,
  logSoftmax,
  mean,
  type Node,
  negate,
  type Program,
  variable,
} from '#engine'
import { type CausalModel, createScope, type ParameterScope } from '#learning/models'

type Make = Parameters<typeof createScope>[0]

/**
 * The mean `loss` of all tokens of a batch, and by its name the gradient of it for each parameter. Inputs: `tokens`, `positions`,
 * `segments` [batch, length] and `targets` [batch * length, 1].
 *
 * @param scopeOf what the model gets its parameters from; `make` makes one to be differentiated
 */
export function lossAndGradients(
  model: CausalModel,
  [batch, length]: readonly [number, number],
  scopeOf: (make: Make) => ParameterScope = createScope,
): { readonly program: Program; readonly names: readonly string[] } {
  const made = new Map<string, Node>()
  const scope = scopeOf((name, shape) => {
    const node = variable(name, shape)
    made.set(name, node)
    return node
  })
  const grid = (name: string) => input(name, [batch, length], 'int32')
  const { states } = model.hidden(
    { tokens: grid('tokens'), positions: grid('positions'), segments: grid('segments') },
    scope,
  )
  const targets = input('targets', [batch * length, 1], 'int32')
  const loss = negate(mean(gatherLast(logSoftmax(model.logits(states, scope)), targets)))
  const names = [...made.keys()]
  const slopes = gradients(loss, [...made.values()])
  const outputs = Object.fromEntries(names.map((name, i) => [name, slopes[i]!]))
  return { program: createProgram({ outputs: { loss, ...outputs } }), names }
}
