export type { AdapterWeights } from './adapter-weights.ts'
export type { Aggregate, Aggregator } from './aggregator.ts'
export { applyDelta } from './apply-delta.ts'
export { type AggregationStrategy, createAggregator } from './create-aggregator.ts'
