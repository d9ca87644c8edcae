import { type Tensor, tensor } from '#engine'
import type { AdapterWeights } from './types.ts'

/** What training changed, tensor by tensor: `after - before`. `applyDelta` of `#learning/aggregate` is the way back. */
export function adapterDelta(after: AdapterWeights, before: AdapterWeights): AdapterWeights {
  const delta = new Map<string, Tensor>()
  for (const [name, { data, shape }] of after) {
    const other = before.get(name)
    if (!other) throw new TypeError(`the adapter before training has no ${name}`)
    delta.set(
      name,
      tensor(
        Float32Array.from(data, (value, i) => value - other.data[i]!),
        shape,
      ),
    )
  }
  return delta
}
