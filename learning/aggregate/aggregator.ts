import type { AdapterWeights } from './adapter-weights.ts'

export interface Aggregate {
  readonly weights: AdapterWeights
  /** How many updates were added. */
  readonly updates: number
  /** Sum of their weights. */
  readonly totalWeight: number
  /** Share of the mean's squared Frobenius norm lost by cutting back to the rank, 0..1. */
  readonly energyDropped: number
}

/** A weighted mean of adapters, fed one update at a time and holding no update. */
export interface Aggregator {
  /**
   * Adds an absolute adapter (not a delta) with its weight, the number of examples behind it. All or nothing: a refused update
   * leaves no trace.
   *
   * @throws CotuneError AGGREGATE_WEIGHT, AGGREGATE_DTYPE, AGGREGATE_SHAPE, AGGREGATE_NOT_FINITE, AGGREGATE_NAMES
   */
  add(update: AdapterWeights, weight: number): void
  /** @throws CotuneError AGGREGATE_EMPTY when nothing was added */
  finish(): Aggregate
}
