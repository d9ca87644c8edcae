import type { Aggregator } from './aggregator.ts'
import { ExactAggregator } from './exact-aggregator.ts'
import { FedAvgAggregator } from './fedavg-aggregator.ts'

/** How updates become one adapter: the exact mean of products, or the mean of each factor. */
export type AggregationStrategy = 'exact' | 'fedavg'

const STRATEGIES: Readonly<Record<AggregationStrategy, () => Aggregator>> = {
  exact: () => new ExactAggregator(),
  fedavg: () => new FedAvgAggregator(),
}

export function createAggregator(strategy: AggregationStrategy): Aggregator {
  return STRATEGIES[strategy]()
}
