import type { AdapterWeights } from '#learning/tuning'

/** The same weights in memory of their own, which may move to another thread: what a tuner returns may be its models' own. */
export function ownCopy(weights: AdapterWeights): AdapterWeights {
  return new Map(
    [...weights].map(([name, value]) => [name, { ...value, data: value.data.slice() }]),
  )
}
