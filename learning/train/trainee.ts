import { type Node, type Tensor, variable, weight } from '#engine'
import { type AdapterSlot, adapterScope } from '#learning/lora'
import { type CausalModel, createScope, type ParameterScope } from '#learning/models'

/** A model as a program sees it: what is frozen into the session, what may be written, what is trained. */
export interface Trainee {
  readonly model: CausalModel
  /** Values of the frozen parameters, by Hugging Face name. */
  readonly weights: ReadonlyMap<string, Tensor>
  /** `frozen`: part of the session; `live`: written from outside; `trained`: updated by each step. */
  readonly base: 'frozen' | 'live' | 'trained'
  /** Adapters on top, added up; each live or trained. */
  readonly adapters: readonly (AdapterSlot & { readonly trained: boolean })[]
}

export interface TraineeScope {
  readonly scope: ParameterScope
  /** The trained variables by name; complete once the model's graph has been built in the scope. */
  trained(): ReadonlyMap<string, Node>
}

/** The scope to build a model's graph in, so that its parameters are what `trainee` says. */
export function traineeScope(trainee: Trainee): TraineeScope {
  const trained = new Map<string, Node>()
  const base = createScope((name, shape) => {
    if (trainee.base === 'frozen') return weight(name, shape)
    const node = variable(name, shape)
    if (trainee.base === 'trained') trained.set(name, node)
    return node
  })
  const { scope, variables } = adapterScope(base, trainee.model, trainee.adapters)
  return {
    scope,
    trained: () => {
      for (const slot of trainee.adapters) {
        if (!slot.trained) continue
        for (const [name, node] of variables(slot.name)) trained.set(name, node)
      }
      return trained
    },
  }
}
