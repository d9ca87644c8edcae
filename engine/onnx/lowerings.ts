import { bytesOf } from '#base'
import { dynamicSizeOf, requireFixed } from '../dynamic-sizes.ts'
import type { Node, NodeOf, OperatorTable } from '../node.ts'
import { type Shape, sizeOf } from '../tensor.ts'
import { lowerCachedAttention } from './cached-attention.ts'
import { lowerCrossEntropy, lowerCrossEntropySlope } from './lower-cross-entropy.ts'
import { lowerProduct } from './lower-product.ts'
import { lowerSlice } from './lower-slice.ts'
import { type Lowering, MICROSOFT } from './lowering.ts'
import { type Attributes, ONNX_TYPE } from './onnx-graph.ts'
import { onnxName } from './onnx-name.ts'
import { dequantised, lowerGather } from './quantised-weights.ts'

/** Weights from this many elements on stay outside the encoded model. */
const EXTERNAL_SIZE = 1_024

/** The ONNX operator of this name, with no attributes. */
const as =
  (opType: string) =>
  (node: Node, lowering: Lowering): string =>
    lowering.emit(node, opType)

/** With a second operand of int64: a shape or axes. */
const withIntegers = (
  node: Node,
  lowering: Lowering,
  opType: string,
  integers: readonly (readonly number[])[],
  attributes: Attributes = {},
): string =>
  lowering.emit(node, opType, {
    inputs: [
      ...node.inputs.map((operand) => lowering.value(operand)),
      ...integers.map((values) => lowering.graph.integers(values)),
    ],
    attributes,
  })

const reduce =
  (opType: string) =>
  (node: NodeOf<'sum'> | NodeOf<'mean'> | NodeOf<'max'>, lowering: Lowering): string =>
    withIntegers(node, lowering, opType, [node.parameters.axes], {
      keepdims: node.parameters.keepDims ? 1 : 0,
    })

function comparison(node: NodeOf<'less'> | NodeOf<'equal'>, lowering: Lowering): string {
  const inputs = [lowering.bool(node)]
  return lowering.emit(node, 'Cast', { inputs, attributes: { to: ONNX_TYPE.float32 } })
}

function toInt32(node: Node, value: string, lowering: Lowering): string {
  return lowering.emit(node, 'Cast', { inputs: [value], attributes: { to: ONNX_TYPE.int32 } })
}

/** Zeros of this shape, to scatter into. */
function zeros(node: Node, shape: Shape, lowering: Lowering): string {
  const inputs = [lowering.zero(), lowering.graph.integers(requireFixed(node, shape))]
  return lowering.emit(node, 'Expand', { inputs, suffix: '_zeros' })
}

/** Each operator in ONNX: adds its nodes and returns the name of its value; nothing where that is made on demand. */
export const lowerings: OperatorTable<[Lowering], string | undefined> = {
  input: ({ parameters: { name, dtype, shape } }, { graph }) =>
    graph.addInput(onnxName.input(name), dtype, shape),
  weight: (node, lowering) => {
    const { name, shape } = node.parameters
    const value = lowering.weights.get(name)
    if (value === undefined) throw new RangeError(`no weight "${name}"`)
    if (value.dtype === 'blocks') {
      const blocks = { name: `weight:${name}`, weight: value }
      lowering.defer(node, () => dequantised(node, blocks, lowering))
      return undefined
    }
    const { graph } = lowering
    if (value.dtype === 'mapped')
      return graph.addExternal(`weight:${name}`, 'float32', value.data, shape)
    return sizeOf(shape) < EXTERNAL_SIZE
      ? graph.addInitializer(`weight:${name}`, value.data, shape)
      : graph.addExternal(`weight:${name}`, value.dtype, bytesOf(value.data), shape)
  },
  variable: ({ parameters: { name, shape } }, { graph }) =>
    graph.addInput(onnxName.variable(name), 'float32', shape),
  constant: ({ id, parameters: { data, shape } }, { graph }) =>
    graph.addInitializer(`constant_${id}`, data, shape),

  add: as('Add'),
  subtract: as('Sub'),
  multiply: as('Mul'),
  divide: as('Div'),
  maximum: as('Max'),
  less: comparison,
  equal: comparison,
  where: (node, lowering) => {
    const [condition, a, b] = node.inputs
    const inputs = [lowering.bool(condition), lowering.value(a), lowering.value(b)]
    return lowering.emit(node, 'Where', { inputs })
  },
  addScaled: (node, lowering) => lowering.emit(node, 'GatedAdd', { domain: MICROSOFT }),

  negate: as('Neg'),
  exp: as('Exp'),
  log: as('Log'),
  sqrt: as('Sqrt'),
  reciprocal: as('Reciprocal'),
  sigmoid: as('Sigmoid'),
  tanh: as('Tanh'),
  square: (node, lowering) => {
    const x = lowering.value(node.inputs[0])
    return lowering.emit(node, 'Mul', { inputs: [x, x] })
  },
  relu: as('Relu'),
  erf: as('Erf'),
  gelu: (node, lowering) => lowering.emit(node, 'Gelu', { domain: MICROSOFT }),
  tanhGelu: (node, lowering) => lowering.emit(node, 'FastGelu', { domain: MICROSOFT }),
  silu: (node, lowering) =>
    lowering.emit(node, 'QuickGelu', { domain: MICROSOFT, attributes: { alpha: { float: 1 } } }),

  matmul: (node, lowering) => {
    const [a, b] = node.inputs
    return lowerProduct({ node, left: lowering.value(a), ...node.parameters }, b, lowering)
  },
  softmax: (node, lowering) => lowering.emit(node, 'Softmax', { attributes: { axis: -1 } }),
  logSoftmax: (node, lowering) => lowering.emit(node, 'LogSoftmax', { attributes: { axis: -1 } }),
  linearCrossEntropy: lowerCrossEntropy,
  linearCrossEntropySlope: lowerCrossEntropySlope,
  rmsNorm: (node, lowering) => {
    const { epsilon } = node.parameters
    const inverse = `rmsNorm_${node.id}_inverse`
    lowering.once(inverseRmsKey(node.inputs[0], epsilon), () => inverse)
    return lowering.emit(node, 'SimplifiedLayerNormalization', {
      attributes: { axis: -1, epsilon: { float: epsilon } },
      extraOutputs: [inverse],
    })
  },
  // The fused kernel of the forward pass gives it as a by-product.
  inverseRms: (node, lowering) => {
    const [x] = node.inputs
    const { epsilon } = node.parameters
    const known = lowering.known(inverseRmsKey(x, epsilon))
    if (known !== undefined) return known
    const value = lowering.value(x)
    const squares = lowering.emit(node, 'Mul', { inputs: [value, value], suffix: '_squares' })
    return inverseRoot(node, squares, epsilon, lowering)
  },
  layerNorm: (node, lowering) => {
    const { epsilon } = node.parameters
    const name = `layerNorm_${node.id}`
    lowering.once(inverseDeviationKey(node.inputs[0], epsilon), () => `${name}_inverse`)
    return lowering.emit(node, 'LayerNormalization', {
      attributes: { axis: -1, epsilon: { float: epsilon } },
      extraOutputs: [`${name}_mean`, `${name}_inverse`],
    })
  },
  inverseDeviation: (node, lowering) => {
    const [x] = node.inputs
    const { epsilon } = node.parameters
    const known = lowering.known(inverseDeviationKey(x, epsilon))
    if (known !== undefined) return known
    const value = lowering.value(x)
    const average = lowering.emit(node, 'ReduceMean', {
      inputs: [value, lowering.graph.integers([-1])],
      suffix: '_mean',
    })
    const centred = lowering.emit(node, 'Sub', { inputs: [value, average], suffix: '_centred' })
    const squares = lowering.emit(node, 'Mul', { inputs: [centred, centred], suffix: '_squares' })
    return inverseRoot(node, squares, epsilon, lowering)
  },
  rotary: (node, lowering) => {
    const [x, positions, cosines, sines] = node.inputs
    const width = 2 * cosines.shape[1]!
    const whole = width === x.shape[3]
    return lowering.emit(node, 'RotaryEmbedding', {
      inputs: [
        lowering.value(x),
        lowering.int64(positions),
        lowering.value(cosines),
        lowering.value(sines),
      ],
      attributes: whole ? {} : { rotary_embedding_dim: width, num_heads: x.shape[1]! },
      domain: MICROSOFT,
    })
  },

  cachedAttention: lowerCachedAttention,

  transpose: (node, lowering) =>
    lowering.emit(node, 'Transpose', { attributes: { perm: node.parameters.permutation } }),
  reshape: (node, lowering) => withIntegers(node, lowering, 'Reshape', [reshapeTarget(node)]),
  expand: (node, lowering) =>
    withIntegers(node, lowering, 'Expand', [requireFixed(node, node.shape)]),
  slice: lowerSlice,
  pad: (node, lowering) => {
    const { axis, before, after } = node.parameters
    const rank = node.shape.length
    const pads = new Array<number>(2 * rank).fill(0)
    pads[axis] = before
    pads[rank + axis] = after
    return withIntegers(node, lowering, 'Pad', [pads])
  },
  concat: (node, lowering) =>
    lowering.emit(node, 'Concat', { attributes: { axis: node.parameters.axis } }),

  sum: reduce('ReduceSum'),
  mean: reduce('ReduceMean'),
  max: reduce('ReduceMax'),

  gather: (node, lowering) => {
    const [table, ids] = node.inputs
    return lowerGather({ node, table, ids: lowering.value(ids) }, lowering)
  },
  gatherLast: (node, lowering) =>
    lowering.emit(node, 'GatherElements', { attributes: { axis: -1 } }),
  // By ScatterElements, one element at a time: ONNX Runtime's ScatterND adds rows on several threads and loses
  // updates where ids repeat.
  scatterAdd: (node, lowering) => {
    const [ids, updates] = node.inputs
    const count = sizeOf(requireFixed(node, ids.shape))
    const width = sizeOf(updates.shape) / count
    const reshaped = (value: string, shape: Shape, suffix: string) =>
      lowering.emit(node, 'Reshape', {
        inputs: [value, lowering.graph.integers(shape)],
        suffix,
      })
    const column = reshaped(lowering.value(ids), [count, 1], '_column')
    const perElement = lowering.emit(node, 'Expand', {
      inputs: [column, lowering.graph.integers([count, width])],
      suffix: '_ids',
    })
    const sum = lowering.emit(node, 'ScatterElements', {
      inputs: [
        zeros(node, [node.parameters.rows, width], lowering),
        perElement,
        reshaped(lowering.value(updates), [count, width], '_updates'),
      ],
      attributes: { axis: 0, reduction: 'add' },
      suffix: '_sum',
    })
    return reshaped(sum, node.shape, '')
  },
  scatterAddLast: (node, lowering) => {
    const [ids, updates] = node.inputs
    return lowering.emit(node, 'ScatterElements', {
      inputs: [zeros(node, node.shape, lowering), lowering.value(ids), lowering.value(updates)],
      attributes: { axis: -1, reduction: 'add' },
    })
  },
  topKIndices: (node, lowering) => {
    const indices = `topKIndices_${node.id}_int64`
    lowering.emit(node, 'TopK', {
      inputs: [lowering.value(node.inputs[0]), lowering.graph.integers([node.parameters.k])],
      attributes: { axis: -1 },
      suffix: '_values',
      extraOutputs: [indices],
    })
    return toInt32(node, indices, lowering)
  },
  argMax: (node, lowering) => {
    const attributes = { axis: -1, keepdims: 0 }
    const indices = lowering.emit(node, 'ArgMax', { attributes, suffix: '_int64' })
    return toInt32(node, indices, lowering)
  },

  cast: (node, lowering) =>
    lowering.emit(node, 'Cast', { attributes: { to: ONNX_TYPE[node.parameters.dtype] } }),
  stopGradient: (node, lowering) => lowering.value(node.inputs[0]),
}

/** What is not known yet is left to the runtime, which can work out one dimension. */
function reshapeTarget(node: Node): Shape {
  const target = node.shape.map((dimension) =>
    dynamicSizeOf(dimension) === undefined ? dimension : -1,
  )
  return target.filter((dimension) => dimension === -1).length > 1
    ? requireFixed(node, node.shape)
    : target
}

/** 1 / sqrt(mean(squares) + epsilon) over the last axis. */
function inverseRoot(node: Node, squares: string, epsilon: number, lowering: Lowering): string {
  const mean = lowering.emit(node, 'ReduceMean', {
    inputs: [squares, lowering.graph.integers([-1])],
    suffix: '_variance',
  })
  const constant = lowering.graph.addInitializer(
    `${node.operator}_${node.id}_epsilon`,
    Float32Array.of(epsilon),
    [],
  )
  const shifted = lowering.emit(node, 'Add', { inputs: [mean, constant], suffix: '_shifted' })
  const root = lowering.emit(node, 'Sqrt', { inputs: [shifted], suffix: '_root' })
  return lowering.emit(node, 'Reciprocal', { inputs: [root] })
}

function inverseRmsKey(x: Node, epsilon: number): string {
  return `inverseRms:${x.id}:${epsilon}`
}

function inverseDeviationKey(x: Node, epsilon: number): string {
  return `inverseDeviation:${x.id}:${epsilon}`
}
