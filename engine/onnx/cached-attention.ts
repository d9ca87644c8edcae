import type { Node, NodeOf } from '../node.ts'
import { type Lowering, MICROSOFT } from './lowering.ts'
import type { Attributes } from './onnx-graph.ts'
import { ONNX_TYPE } from './onnx-graph.ts'

/**
 * ONNX Runtime's GroupQueryAttention. Its joined keys and values, outputs 1 and 2, are left out: the binding for Node.js would copy
 * them out at each run, even into tensors given for them, where the new columns are enough.
 */
export function lowerCachedAttention(node: NodeOf<'cachedAttention'>, lowering: Lowering): string {
  const [queries, keys, values, cachedKeys, cachedValues, lengths] = node.inputs
  const { scale, window, softcap, alibiSlopes } = node.parameters
  const [, groups = 1, , headSize = 1] = cachedKeys.shape
  const width = queries.shape[1] ?? 0
  const byRow = (x: Node, suffix: string) =>
    lowering.emit(node, 'Reshape', {
      inputs: [lowering.value(x), rowShape(lengths, x.shape[1] ?? 0, lowering)],
      suffix,
    })
  const inputs = [
    byRow(queries, '_queries'),
    byRow(keys, '_keys'),
    byRow(values, '_values'),
    lowering.value(cachedKeys),
    lowering.value(cachedValues),
    lastColumns(lengths, lowering),
    longest(lengths, lowering),
  ]
  if (alibiSlopes) inputs.push('', '', '', distances(node, inputs[0] ?? '', lowering))
  const attributes: Attributes = {
    num_heads: width / headSize,
    kv_num_heads: groups,
    do_rotary: 0,
    scale: { float: scale },
    ...(window === undefined ? {} : { local_window_size: window }),
    ...(softcap === undefined ? {} : { softcap: { float: softcap } }),
  }
  const joined = [
    `cachedAttention_${node.id}_keys_joined`,
    `cachedAttention_${node.id}_values_joined`,
  ]
  const mixed = lowering.emit(node, 'GroupQueryAttention', {
    inputs,
    attributes,
    domain: MICROSOFT,
    suffix: '_rows',
    extraOutputs: joined,
  })
  return lowering.emit(node, 'Reshape', { inputs: [mixed, lowering.graph.integers([-1, width])] })
}

/** [B, S, width] as a shape: S is what remains. */
function rowShape(lengths: Node, width: number, lowering: Lowering): string {
  return lowering.once(`rowShape:${lengths.id}:${width}`, () => {
    const batch = lowering.once(`batch:${lengths.id}`, () =>
      lowering.emit(lengths, 'Shape', { inputs: [lowering.value(lengths)], suffix: '_batch' }),
    )
    return lowering.emit(lengths, 'Concat', {
      inputs: [batch, lowering.graph.integers([-1, width])],
      attributes: { axis: 0 },
      suffix: `_shape_${width}`,
    })
  })
}

function lastColumns(lengths: Node, lowering: Lowering): string {
  return lowering.once(`lastColumns:${lengths.id}`, () => {
    const one = lowering.graph.addInitializer(`one_${lengths.id}`, Int32Array.of(1), [])
    return lowering.emit(lengths, 'Sub', {
      inputs: [lowering.value(lengths), one],
      suffix: '_last',
    })
  })
}

/** int32 [1]. */
function longest(lengths: Node, lowering: Lowering): string {
  return lowering.once(`longest:${lengths.id}`, () =>
    lowering.emit(lengths, 'ReduceMax', {
      inputs: [lowering.value(lengths), lowering.graph.integers([0])],
      suffix: '_longest',
    }),
  )
}

/**
 * What ALiBi adds to scores, [1, H, S, total]: slopes times the columns counted from the last one. Softmax does not see what is
 * added to all columns alike, so the queries' own positions do not matter.
 */
function distances(node: NodeOf<'cachedAttention'>, queries: string, lowering: Lowering): string {
  const { alibiSlopes = [] } = node.parameters
  const lengths = node.inputs[5]
  return lowering.once(`distances:${lengths.id}:${alibiSlopes}`, () => {
    const { graph } = lowering
    const emit = (opType: string, inputs: readonly string[], suffix: string, attributes = {}) =>
      lowering.emit(node, opType, { inputs, suffix, attributes })
    const scalar = (x: number) =>
      graph.addInitializer(`cachedAttention_${node.id}_scalar_${x}`, Float32Array.of(x), [])
    const slopes = graph.addInitializer(
      `cachedAttention_${node.id}_slopes`,
      Float32Array.from(alibiSlopes),
      [1, alibiSlopes.length, 1, 1],
    )
    const total = emit('Squeeze', [longest(lengths, lowering), graph.integers([0])], '_total')
    const count = emit('Cast', [total], '_count', { to: ONNX_TYPE.float32 })
    const first = emit('Sub', [scalar(1), count], '_first')
    const columns = emit('Range', [first, scalar(1), scalar(1)], '_columns')
    const bias = emit('Mul', [slopes, columns], '_bias_row')
    const length = emit('Shape', [queries], '_length', { start: 1, end: 2 })
    const ones = graph.integers([1, 1])
    const shape = emit('Concat', [ones, length, graph.integers([1])], '_bias_shape', { axis: 0 })
    return emit('Expand', [bias, shape], '_bias')
  })
}
