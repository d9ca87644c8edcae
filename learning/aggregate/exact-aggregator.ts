import type { Tensor } from '#engine'
import { type AdapterWeights, floatsOf, isLora, pairOf } from './adapter-weights.ts'
import type { Aggregate, Aggregator } from './aggregator.ts'
import { checkUpdate, type Layout } from './check-update.ts'
import { FedAvgAggregator, nothingAdded } from './fedavg-aggregator.ts'
import { LowRankSum, type Truncated } from './low-rank-sum.ts'

/**
 * The exact mean of the adapters' products, `sum_i w_i B_i A_i / sum_i w_i`, re-factored to the rank by singular values: the best
 * adapter of that rank. Tensors that are not LoRA pairs are averaged, which is exact for them.
 * Memory does not grow with the number of updates; see LowRankSum.
 */
export class ExactAggregator implements Aggregator {
  #layout: Layout | undefined
  readonly #sums = new Map<string, LowRankSum>()
  readonly #plain = new FedAvgAggregator()
  #updates = 0
  #totalWeight = 0

  add(update: AdapterWeights, weight: number): void {
    this.#layout = checkUpdate(update, weight, this.#layout)
    for (const name of this.#layout.keys()) {
      const pair = pairOf(name)
      if (pair) this.#addProduct(pair.a, floatsOf(update, pair.a), floatsOf(update, pair.b), weight)
    }
    const plain = new Map([...update].filter(([name]) => !isLora(name)))
    if (plain.size > 0) this.#plain.add(plain, weight)
    this.#updates++
    this.#totalWeight += weight
  }

  finish(): Aggregate {
    if (!this.#layout) throw nothingAdded()
    const weights = new Map<string, Tensor>()
    if ([...this.#layout.keys()].some((name) => !isLora(name)))
      for (const [name, tensor] of this.#plain.finish().weights) weights.set(name, tensor)
    let energy = 0
    let dropped = 0
    for (const [name, sum] of this.#sums) {
      const { rank } = dimensions(this.#layout, name)
      const truncated = sum.truncate(rank, 1 / this.#totalWeight)
      energy += truncated.energy
      dropped += truncated.dropped
      for (const [half, tensor] of tensorsOf(name, truncated)) weights.set(half, tensor)
    }
    // In the order of the updates, so that equal rounds give equal files.
    const ordered = new Map([...this.#layout.keys()].map((name) => [name, weights.get(name)!]))
    return {
      weights: ordered,
      updates: this.#updates,
      totalWeight: this.#totalWeight,
      energyDropped: energy > 0 ? dropped / energy : 0,
    }
  }

  #addProduct(name: string, a: Float32Array, b: Float32Array, weight: number): void {
    const { rank, into, out } = dimensions(this.#layout!, name)
    let sum = this.#sums.get(name)
    if (!sum) {
      sum = new LowRankSum(out, into)
      this.#sums.set(name, sum)
    }
    for (let k = 0; k < rank; k++) {
      const column = Float64Array.from({ length: out }, (_, i) => b[i * rank + k]!)
      sum.add(weight, column, Float64Array.from(a.subarray(k * into, (k + 1) * into)))
    }
  }
}

/** Rank, inputs and outputs of the pair whose A is called `name`. */
function dimensions(layout: Layout, name: string): { rank: number; into: number; out: number } {
  const [rank = 0, into = 0] = layout.get(name) ?? []
  const [out = 0] = layout.get(pairOf(name)?.b ?? '') ?? []
  return { rank, into, out }
}

function tensorsOf(name: string, { a, b }: Truncated): readonly (readonly [string, Tensor])[] {
  const rank = a.length
  const into = a[0]?.length ?? 0
  const out = b[0]?.length ?? 0
  const dataA = new Float32Array(rank * into)
  const dataB = new Float32Array(out * rank)
  for (let k = 0; k < rank; k++) {
    dataA.set(a[k]!, k * into)
    for (let i = 0; i < out; i++) dataB[i * rank + k] = b[k]![i]!
  }
  return [
    [name, { dtype: 'float32', shape: [rank, into], data: dataA }],
    [pairOf(name)!.b, { dtype: 'float32', shape: [out, rank], data: dataB }],
  ]
}
