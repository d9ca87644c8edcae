import { allInMemory } from '#engine'
import { fromLeaves, type LoraSpec, toLeaves } from '#learning/lora'
import type { LearnerInit } from './learner.ts'
import type { TuningSettings } from './settings.ts'
import type { Tuned } from './tuned.ts'
import { everyLinear, initialAdapter, type TunedModel } from './tuned-model.ts'
import type { AdapterWeights } from './types.ts'

const OWN = 'own'

/** A device's own model: what of it is trained, all parameters or an adapter, is decided here and nowhere else. */
export class SmallModel {
  readonly model: TunedModel
  readonly #isFull: boolean
  readonly #spec: LoraSpec

  constructor(model: TunedModel, settings: TuningSettings) {
    this.model = model
    this.#isFull = settings.slm === 'full'
    this.#spec = everyLinear(model, settings)
  }

  /** How a learner of it is created. */
  learner(): Pick<LearnerInit, 'model' | 'base' | 'adapters'> {
    const { model } = this
    return this.#isFull
      ? { model, base: 'trained' }
      : { model, base: 'frozen', adapters: [{ name: OWN, spec: this.#spec, trained: true }] }
  }

  /** The learner's variables for what was learnt so far; as shipped without it. */
  toVariables(state: AdapterWeights | undefined): AdapterWeights {
    if (this.#isFull) return state ?? allInMemory(this.model.checkpoint.weights)
    return toLeaves(OWN, state ?? initialAdapter(this.model, this.#spec, OWN))
  }

  /** The way back. */
  toState(variables: AdapterWeights): AdapterWeights {
    return this.#isFull ? variables : fromLeaves(OWN, variables)
  }

  /** What lies on the base after this much learning. */
  tuned(state: AdapterWeights | undefined): Tuned {
    if (!state) return {}
    return this.#isFull
      ? { parameters: state }
      : { adapters: [{ name: OWN, spec: this.#spec, weights: state }] }
  }
}
