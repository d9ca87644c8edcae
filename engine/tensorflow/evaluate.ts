import type * as tensorflow from '@tensorflow/tfjs-core'
import type { Node, OperatorTable } from '../node.ts'
import { sizeOf } from '../tensor.ts'
import { evaluateCachedAttention } from './cached-attention.ts'
import type { Evaluation, Tf, TfTensor } from './evaluation.ts'

type Unary = (tf: Tf, x: TfTensor) => TfTensor
type Binary = (tf: Tf, a: TfTensor, b: TfTensor) => TfTensor

const unary =
  (apply: Unary) =>
  ({ inputs: [x] }: { readonly inputs: readonly [Node] }, { tf, value }: Evaluation): TfTensor =>
    apply(tf, value(x))

const binary =
  (apply: Binary) =>
  (
    { inputs: [a, b] }: { readonly inputs: readonly [Node, Node] },
    { tf, value }: Evaluation,
  ): TfTensor =>
    apply(tf, value(a), value(b))

const leaf = (node: Node, evaluation: Evaluation): TfTensor => evaluation.leaf(node).clone()

/** Each operator in TensorFlow.js, written for plainness: the tests' oracle for the ONNX lowering. */
export const evaluations: OperatorTable<[Evaluation], TfTensor> = {
  input: leaf,
  weight: leaf,
  variable: leaf,
  constant: leaf,

  add: binary((tf, a, b) => tf.add(a, b)),
  subtract: binary((tf, a, b) => tf.sub(a, b)),
  multiply: binary((tf, a, b) => tf.mul(a, b)),
  divide: binary((tf, a, b) => tf.div(a, b)),
  maximum: binary((tf, a, b) => tf.maximum(a, b)),
  less: binary((tf, a, b) => tf.cast(tf.less(a, b), 'float32')),
  equal: binary((tf, a, b) => tf.cast(tf.equal(a, b), 'float32')),
  where: ({ inputs: [condition, a, b] }, { tf, value }) =>
    tf.where(tf.cast(value(condition), 'bool'), value(a), value(b)),

  addScaled: ({ inputs: [x, y, scale] }, { tf, value }) =>
    tf.add(value(x), tf.mul(value(y), value(scale))),
  negate: unary((tf, x) => tf.neg(x)),
  exp: unary((tf, x) => tf.exp(x)),
  log: unary((tf, x) => tf.log(x)),
  sqrt: unary((tf, x) => tf.sqrt(x)),
  reciprocal: unary((tf, x) => tf.reciprocal(x)),
  sigmoid: unary((tf, x) => tf.sigmoid(x)),
  tanh: unary((tf, x) => tf.tanh(x)),
  square: unary((tf, x) => tf.square(x)),
  relu: unary((tf, x) => tf.relu(x)),
  erf: unary((tf, x) => tf.erf(x)),
  gelu: unary((tf, x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1))),
  tanhGelu: unary((tf, x) => {
    const cubic = tf.add(x, tf.mul(tf.mul(x, tf.square(x)), 0.044715))
    return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(tf.mul(cubic, Math.sqrt(2 / Math.PI))), 1))
  }),
  silu: unary((tf, x) => tf.mul(x, tf.sigmoid(x))),

  matmul: ({ inputs: [a, b], shape, parameters }, { tf, value }) => {
    const { transposeA, transposeB, scale } = parameters
    // The WebAssembly kernel computes wrong values where both sides are broadcast.
    const batched = (x: Node) =>
      tf.broadcastTo(value(x), [...shape.slice(0, -2), ...x.shape.slice(-2)])
    const product = tf.matMul(batched(a), batched(b), transposeA, transposeB)
    return scale === 1 ? product : tf.mul(product, scale)
  },
  softmax: unary((tf, x) => tf.softmax(x)),
  logSoftmax: unary((tf, x) => tf.logSoftmax(x)),
  linearCrossEntropy: ({ inputs: [x, w, targets] }, { tf, value }) => {
    const logits = tf.logSoftmax(tf.matMul(value(x), value(w), false, true))
    const chosen = tf.oneHot(value(targets) as tensorflow.Tensor1D, w.shape[0]!)
    return tf.neg(tf.sum(tf.mul(logits, chosen), -1))
  },
  linearCrossEntropySlope: ({ inputs: [x, w, targets] }, { tf, value }) => {
    const probabilities = tf.softmax(tf.matMul(value(x), value(w), false, true))
    return tf.sub(tf.matMul(probabilities, value(w)), tf.gather(value(w), value(targets)))
  },
  rmsNorm: ({ inputs: [x, w], parameters: { epsilon } }, { tf, value }) =>
    tf.mul(tf.mul(value(x), inverseRms(tf, value(x), epsilon)), value(w)),
  inverseRms: ({ inputs: [x], parameters: { epsilon } }, { tf, value }) =>
    inverseRms(tf, value(x), epsilon),
  layerNorm: ({ inputs: [x, w, b], parameters: { epsilon } }, { tf, value }) => {
    const { mean, variance } = tf.moments(value(x), -1, true)
    const normalised = tf.mul(tf.sub(value(x), mean), tf.rsqrt(tf.add(variance, epsilon)))
    return tf.add(tf.mul(normalised, value(w)), value(b))
  },
  inverseDeviation: ({ inputs: [x], parameters: { epsilon } }, { tf, value }) =>
    tf.rsqrt(tf.add(tf.moments(value(x), -1, true).variance, epsilon)),
  rotary: ({ inputs: [x, positions, cosines, sines], shape }, { tf, value }) => {
    const [cos, sin] = [cosines, sines].map((table) =>
      tf.expandDims(tf.gather(value(table), value(positions)), 1),
    ) as [TfTensor, TfTensor]
    const half = cosines.shape[1] ?? 0
    const rest = (shape.at(-1) ?? 0) - 2 * half
    const parts = tf.split(value(x), rest > 0 ? [half, half, rest] : [half, half], -1)
    const [x1, x2, ...others] = parts as [TfTensor, TfTensor, ...TfTensor[]]
    const turned = [
      tf.sub(tf.mul(x1, cos), tf.mul(x2, sin)),
      tf.add(tf.mul(x2, cos), tf.mul(x1, sin)),
    ]
    return tf.concat([...turned, ...others], -1)
  },
  cachedAttention: evaluateCachedAttention,

  transpose: ({ inputs: [x], parameters: { permutation } }, { tf, value }) =>
    tf.transpose(value(x), [...permutation]),
  reshape: ({ inputs: [x], shape }, { tf, value }) => tf.reshape(value(x), [...shape]),
  expand: ({ inputs: [x], shape }, { tf, value }) => tf.broadcastTo(value(x), [...shape]),
  slice: ({ inputs: [x], shape, parameters: { axis, start } }, { tf, value }) =>
    tf.slice(
      value(x),
      shape.map((_, i) => (i === axis ? start : 0)),
      [...shape],
    ),
  pad: ({ inputs: [x], shape, parameters: { axis, before, after } }, { tf, value }) =>
    tf.pad(
      value(x),
      shape.map((_, i): [number, number] => (i === axis ? [before, after] : [0, 0])),
    ),
  concat: ({ inputs, parameters: { axis } }, { tf, value }) => tf.concat(inputs.map(value), axis),

  sum: ({ inputs: [x], parameters: { axes, keepDims } }, { tf, value }) =>
    tf.sum(value(x), [...axes], keepDims),
  mean: ({ inputs: [x], parameters: { axes, keepDims } }, { tf, value }) =>
    tf.mean(value(x), [...axes], keepDims),
  max: ({ inputs: [x], parameters: { axes, keepDims } }, { tf, value }) =>
    tf.max(value(x), [...axes], keepDims),

  gather: ({ inputs: [table, ids] }, { tf, value }) =>
    tf.gather(value(table), value(ids) as tensorflow.Tensor1D),
  gatherLast: ({ inputs: [x, ids], shape }, { tf, value }) => {
    const positions = flatPositions(tf, value(ids), x.shape.at(-1) ?? 1)
    return tf.reshape(tf.gather(tf.reshape(value(x), [-1]), positions), [...shape])
  },
  scatterAdd: ({ inputs: [ids, updates], shape }, { tf, value }) =>
    tf.scatterND(tf.expandDims(value(ids), 1), value(updates), [...shape]),
  scatterAddLast: ({ inputs: [ids, updates], shape, parameters: { columns } }, { tf, value }) => {
    const positions = tf.expandDims(flatPositions(tf, value(ids), columns), 1)
    const flat = tf.scatterND(positions, tf.reshape(value(updates), [-1]), [sizeOf(shape)])
    return tf.reshape(flat, [...shape])
  },
  topKIndices: ({ inputs: [x], parameters: { k } }, { tf, value }) => tf.topk(value(x), k).indices,
  argMax: ({ inputs: [x] }, { tf, value }) => tf.argMax(value(x), -1),

  cast: ({ inputs: [x], parameters: { dtype } }, { tf, value }) => tf.cast(value(x), dtype),
  stopGradient: unary((_, x) => x.clone()),
}

function inverseRms(tf: Tf, x: TfTensor, epsilon: number): TfTensor {
  return tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), epsilon))
}

/** Ids of the last axis as positions in the flattened tensor: row * columns + id, one dimension. */
function flatPositions(tf: Tf, ids: TfTensor, columns: number): tensorflow.Tensor1D {
  const perRow = ids.shape.at(-1) ?? 1
  const rows = tf.mul(tf.range(0, ids.size / perRow, 1, 'int32'), tf.scalar(columns, 'int32'))
  return tf.reshape(tf.add(tf.reshape(ids, [-1, perRow]), tf.expandDims(rows, 1)), [-1])
}
