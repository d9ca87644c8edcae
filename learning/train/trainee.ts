import { type Node, variable, type WeightValue } from '#engine'
import { type AdapterLayer, withAdapters } from '#learning/lora'
import { type CausalModel, createScope, frozenWeight, type ParameterScope } from '#learning/models'

/** A model as a program sees it: what is frozen into the session, what may be written, what is trained. */
export interface Trainee {
  readonly model: CausalModel
  /** Values of the frozen parameters, by Hugging Face name. */
  readonly weights: ReadonlyMap<string, WeightValue>
  /** `frozen`: part of the session; `live`: written from outside; `trained`: updated by each step. */
  readonly base: 'frozen' | 'live' | 'trained'
  /** Adapters on top, added up; each live or trained. Their variables are called `<adapter>/<tensor>`. */
  readonly adapters: readonly TraineeAdapter[]
}

interface TraineeAdapter extends AdapterLayer {
  readonly trained: boolean
}

export interface TraineeScope {
  readonly scope: ParameterScope
  /** The trained variables by name; complete once the model's graph has been built in the scope. */
  readonly trained: ReadonlyMap<string, Node>
}

/** The scope to build a model's graph in, so that its parameters are what `trainee` says. */
export function traineeScope(trainee: Trainee): TraineeScope {
  const trained = new Map<string, Node>()
  const live = (name: string, shape: readonly number[], train: boolean): Node => {
    const node = variable(name, shape)
    if (train) trained.set(name, node)
    return node
  }
  const base = createScope((name, shape) =>
    trainee.base === 'frozen'
      ? frozenWeight(name, shape, trainee.weights)
      : live(name, shape, trainee.base === 'trained'),
  )
  const trainedAdapters = new Set(
    trainee.adapters.filter((adapter) => adapter.trained).map(({ name }) => name),
  )
  const scope = withAdapters(base, trainee.model, trainee.adapters, (name, shape) =>
    live(name, shape, trainedAdapters.has(name.slice(0, name.indexOf('/')))),
  )
  return { scope, trained }
}
