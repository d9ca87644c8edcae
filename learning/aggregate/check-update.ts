import { CotuneError } from '#base'
import { sizeOf } from '#engine'
import { type AdapterWeights, floatsOf, isLora, pairOf } from './adapter-weights.ts'

/** What every update must look like: shapes by tensor name, taken from the first. */
export type Layout = ReadonlyMap<string, readonly number[]>

/**
 * Checks that `update` can be merged: a positive weight, finite float32 tensors whose data fills their shape, LoRA pairs that
 * fit together, and the same names and shapes as `expected` if that is given.
 *
 * @throws CotuneError AGGREGATE_WEIGHT, AGGREGATE_NAMES, AGGREGATE_DTYPE, AGGREGATE_SHAPE, AGGREGATE_NOT_FINITE
 */
export function checkUpdate(update: AdapterWeights, weight: number, expected?: Layout): Layout {
  if (!(Number.isFinite(weight) && weight > 0))
    throw new CotuneError('AGGREGATE_WEIGHT', `The weight ${weight} is not a positive number.`, {
      hint: 'The weight of an update is its number of training examples; refuse updates without any.',
      data: { weight },
    })
  if (update.size === 0) throw refuseNames('An update has no tensors.')
  const layout = new Map([...update].map(([name, tensor]) => [name, tensor.shape]))
  for (const [name, shape] of layout) checkTensor(floatsOf(update, name), name, shape)
  checkPairs(layout)
  if (expected) checkLayout(layout, expected)
  return layout
}

function checkTensor(data: Float32Array, name: string, shape: readonly number[]): void {
  if (sizeOf(shape) !== data.length)
    throw refuseShape(name, `${data.length} values do not fill its shape [${shape.join(', ')}]`)
  for (const value of data)
    if (!Number.isFinite(value))
      throw new CotuneError('AGGREGATE_NOT_FINITE', `The tensor ${name} holds ${value}.`, {
        hint: 'Training has diverged on that device; lower its learning rate. The update is refused.',
        data: { name },
      })
}

function checkPairs(layout: Layout): void {
  for (const name of layout.keys()) {
    if (!isLora(name)) continue
    const pair = pairOf(name.replace(/lora_B\.weight$/, 'lora_A.weight'))
    const a = pair && layout.get(pair.a)
    const b = pair && layout.get(pair.b)
    if (!a || !b) throw refuseNames(`The LoRA tensor ${name} lacks its other half.`)
    if (a.length !== 2 || b.length !== 2 || a[0] !== b[1] || a[0] === 0)
      throw refuseShape(name, `A [${a.join(', ')}] and B [${b.join(', ')}] do not multiply`)
  }
}

function checkLayout(layout: Layout, expected: Layout): void {
  for (const name of expected.keys())
    if (!layout.has(name)) throw refuseNames(`An update has no tensor ${name}.`)
  for (const [name, shape] of layout) {
    const wanted = expected.get(name)
    if (!wanted) throw refuseNames(`An update has a tensor ${name} that the others lack.`)
    if (wanted.length !== shape.length || wanted.some((length, axis) => length !== shape[axis]))
      throw refuseShape(name, `[${shape.join(', ')}] where others have [${wanted.join(', ')}]`)
  }
}

function refuseNames(message: string): CotuneError {
  return new CotuneError('AGGREGATE_NAMES', message, {
    hint: 'All updates of a round must adapt the same modules of the same base model.',
  })
}

function refuseShape(name: string, what: string): CotuneError {
  return new CotuneError('AGGREGATE_SHAPE', `The tensor ${name} has a wrong shape: ${what}.`, {
    hint: 'All updates of a round must have the same rank and base model; check the device versions.',
    data: { name },
  })
}
