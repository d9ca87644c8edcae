import { CotuneError } from '#base'
import type { Tensor } from '#engine'
import { type AdapterWeights, floatsOf } from './adapter-weights.ts'

/**
 * `base + delta`, tensor by tensor: the absolute adapter that a device's delta stands for.
 *
 * @throws CotuneError AGGREGATE_NAMES when the names differ, AGGREGATE_SHAPE when the shapes do, AGGREGATE_DTYPE
 */
export function applyDelta(base: AdapterWeights, delta: AdapterWeights): AdapterWeights {
  if (base.size !== delta.size)
    throw new CotuneError(
      'AGGREGATE_NAMES',
      `A delta has ${delta.size} tensors, its base ${base.size}.`,
      { hint: 'The delta was made against another adapter; refuse it.' },
    )
  return new Map([...delta].map(([name, { shape }]) => [name, addTensor(base, delta, name, shape)]))
}

function addTensor(
  base: AdapterWeights,
  delta: AdapterWeights,
  name: string,
  shape: readonly number[],
): Tensor {
  const from = floatsOf(base, name)
  const change = floatsOf(delta, name)
  if (from.length !== change.length || String(base.get(name)?.shape) !== String(shape))
    throw new CotuneError('AGGREGATE_SHAPE', `The delta of ${name} does not fit its base.`, {
      hint: 'The delta was made against another adapter; refuse it.',
      data: { name },
    })
  return { dtype: 'float32', shape, data: from.map((value, i) => value + change[i]!) }
}
