import { CotuneError } from '#base'
import { type AdapterWeights, floatsOf } from './adapter-weights.ts'
import type { Aggregate, Aggregator } from './aggregator.ts'
import { checkUpdate, type Layout } from './check-update.ts'
import { RunningMean } from './running-mean.ts'

/**
 * Plain federated averaging (McMahan et al., AISTATS 2017) of every tensor apart. For LoRA this is FedIT's rule, and inexact:
 * mean(B) mean(A) is not mean(B A). Nothing is cut off, so `energyDropped` is 0.
 */
export class FedAvgAggregator implements Aggregator {
  #layout: Layout | undefined
  readonly #means = new Map<string, RunningMean>()
  #updates = 0
  #totalWeight = 0

  add(update: AdapterWeights, weight: number): void {
    this.#layout = checkUpdate(update, weight, this.#layout)
    for (const name of this.#layout.keys()) {
      const values = floatsOf(update, name)
      let mean = this.#means.get(name)
      if (!mean) {
        mean = new RunningMean(values.length)
        this.#means.set(name, mean)
      }
      mean.add(weight, values)
    }
    this.#updates++
    this.#totalWeight += weight
  }

  finish(): Aggregate {
    if (!this.#layout) throw nothingAdded()
    const weights = new Map(
      [...this.#layout].map(([name, shape]) => [
        name,
        { dtype: 'float32' as const, shape, data: this.#means.get(name)!.mean() },
      ]),
    )
    return {
      weights,
      updates: this.#updates,
      totalWeight: this.#totalWeight,
      energyDropped: 0,
    }
  }
}

export function nothingAdded(): CotuneError {
  return new CotuneError('AGGREGATE_EMPTY', 'There is no update to aggregate.', {
    hint: 'Wait for at least one accepted update, or abort the round.',
  })
}
