import type * as tensorflow from '@tensorflow/tfjs-core'
import * as engine from '#engine'
import type { Operator } from '../../engine/node.ts'
import { broadcastShapes } from '../../engine/shapes.ts'

type Tf = typeof tensorflow
type TfTensor = tensorflow.Tensor
type Node = engine.Node

/** One use of an operator: float32 operands that are differentiated, and how to build it. */
export interface OperatorCase {
  readonly operator: Operator
  readonly title: string
  /** Shapes of the float32 operands. */
  readonly shapes: readonly engine.Shape[]
  /** Values are drawn from this interval; [-1.5, 1.5] unless told. */
  readonly range?: readonly [number, number]
  readonly build: (...xs: Node[]) => Node
  /** The same in TensorFlow.js, to differentiate by its own tape; missing where it has no such operator. */
  readonly twin?: (tf: Tf, ...xs: TfTensor[]) => TfTensor
  /** No gradient flows: only the values are compared. */
  readonly forwardOnly?: boolean
}

const ids = (values: readonly number[], shape: engine.Shape): Node =>
  engine.constant(Int32Array.from(values), shape)

const table = (angle: (position: number, pair: number) => number): Node =>
  engine.constant(
    Float32Array.from({ length: 5 * 2 }, (_, i) => angle(Math.floor(i / 2), i % 2)),
    [5, 2],
  )

const one = (
  operator: Operator,
  build: (x: Node) => Node,
  twin: (tf: Tf, x: TfTensor) => TfTensor,
  range: readonly [number, number] = [-1.5, 1.5],
): OperatorCase => ({ operator, title: operator, shapes: [[2, 3]], range, build, twin })

const two = (
  operator: Operator,
  build: (a: Node, b: Node) => Node,
  twin: (tf: Tf, a: TfTensor, b: TfTensor) => TfTensor,
  range: readonly [number, number] = [-1.5, 1.5],
): readonly OperatorCase[] =>
  [
    [
      [2, 3],
      [2, 3],
    ],
    [
      [2, 1, 3],
      [4, 1],
    ],
    [[], [2, 2]],
    [[3, 2], [1]],
  ].map((shapes) => ({
    operator,
    title: `${operator} [${shapes[0]}] [${shapes[1]}]`,
    shapes,
    range,
    build,
    twin,
  }))

const cachedAttentionCases: readonly OperatorCase[] = [
  { name: 'steps of unequal rows', batch: 3, tokens: 3, columns: 6, lengths: [7, 1, 4] },
  { name: 'prompts', batch: 2, tokens: 6, columns: 1, lengths: [3, 3] },
  { name: 'a chunk of one prompt', batch: 1, tokens: 3, columns: 5, lengths: [7] },
  { name: 'a window', batch: 2, tokens: 2, columns: 7, lengths: [8, 3], more: { window: 3 } },
  { name: 'soft caps', batch: 2, tokens: 4, columns: 3, lengths: [2, 2], more: { softcap: 0.5 } },
  {
    name: 'slopes',
    batch: 2,
    tokens: 2,
    columns: 7,
    lengths: [8, 3],
    more: { alibiSlopes: [0.5, 0.25, 0.125, 0.0625] },
  },
].map(({ name, batch, tokens, columns, lengths, more }) => ({
  operator: 'cachedAttention',
  title: `cachedAttention, ${name}`,
  shapes: [[tokens, 32], [tokens, 16], [tokens, 16], ...Array(2).fill([batch, 2, columns, 8])],
  build: (queries: Node, keys: Node, values: Node, cachedKeys: Node, cachedValues: Node) =>
    engine.cachedAttention(
      { queries, keys, values, cachedKeys, cachedValues, lengths: ids(lengths, [batch]) },
      { scale: 0.7, ...more },
    ),
  forwardOnly: true,
}))

const matmulCases: readonly OperatorCase[] = [
  { a: [2, 3], b: [3, 4] },
  { a: [2, 2, 3], b: [3, 2] },
  { a: [2, 2, 3], b: [2, 3, 2] },
  { a: [2, 1, 2, 3], b: [3, 3, 2] },
  { a: [2, 3], b: [2, 3, 2] },
].flatMap(({ a, b }) =>
  [false, true].flatMap((transposeA) =>
    [false, true].map((transposeB) => {
      const swap = (shape: readonly number[]) => [
        ...shape.slice(0, -2),
        ...shape.slice(-2).reverse(),
      ]
      const shapes = [transposeA ? swap(a) : a, transposeB ? swap(b) : b]
      return {
        operator: 'matmul' as const,
        title: `matmul [${shapes[0]}] [${shapes[1]}] ${transposeA} ${transposeB}`,
        shapes,
        build: (x: Node, y: Node) => engine.matmul(x, y, { transposeA, transposeB, scale: 0.5 }),
        // Its gradient does not undo broadcasting, so the twin broadcasts first.
        twin: (tf: Tf, x: TfTensor, y: TfTensor) => {
          const batch = broadcastShapes(a.slice(0, -2), b.slice(0, -2)) ?? []
          const spread = (z: TfTensor) => tf.mul(z, tf.ones([...batch, ...z.shape.slice(-2)]))
          return tf.mul(tf.matMul(spread(x), spread(y), transposeA, transposeB), 0.5)
        },
      }
    }),
  ),
)

const { sum, mean, max } = engine
const reductions = Object.entries({ sum, mean, max }).flatMap(([name, reduce]): OperatorCase[] => {
  const operator = name as 'sum' | 'mean' | 'max'
  const choices = [
    { axes: [-1], keepDims: true },
    { axes: [0, 2], keepDims: false },
    { axes: [0, 1, 2], keepDims: false },
  ]
  return choices.map(({ axes, keepDims }) => ({
    operator,
    title: `${operator}, axes ${axes} keepDims ${keepDims}`,
    shapes: [[2, 3, 2]],
    build: (x: Node) => reduce(x, axes, { keepDims }),
    twin: (tf: Tf, x: TfTensor) => tf[operator](x, axes, keepDims),
  }))
})

/** At least one case for each operator; a test holds the list against the operator table. */
export const operatorCases: readonly OperatorCase[] = [
  ...cachedAttentionCases,
  ...two('add', engine.add, (tf, a, b) => tf.add(a, b)),
  ...two('subtract', engine.subtract, (tf, a, b) => tf.sub(a, b)),
  ...two('multiply', engine.multiply, (tf, a, b) => tf.mul(a, b)),
  ...two('divide', engine.divide, (tf, a, b) => tf.div(a, b), [0.5, 2]),
  ...two('maximum', engine.maximum, (tf, a, b) => {
    // Its gradient does not undo broadcasting, so the twin broadcasts first.
    const ones = tf.ones(broadcastShapes(a.shape, b.shape) as number[])
    return tf.maximum(tf.mul(a, ones), tf.mul(b, ones))
  }),
  {
    operator: 'less',
    title: 'less',
    shapes: [[2, 3], [3]],
    build: engine.less,
    twin: (tf, a, b) => tf.cast(tf.less(a, b), 'float32'),
    forwardOnly: true,
  },
  {
    operator: 'equal',
    title: 'equal, of truncated values',
    shapes: [[4, 3], [3]],
    build: (a, b) => engine.equal(engine.cast(a, 'int32'), engine.cast(b, 'int32')),
    twin: (tf, a, b) => tf.cast(tf.equal(tf.cast(a, 'int32'), tf.cast(b, 'int32')), 'float32'),
    forwardOnly: true,
  },
  {
    operator: 'where',
    title: 'where by a comparison',
    shapes: [[2, 3], [3]],
    build: (a, b) => engine.where(engine.less(a, b), a, b),
    // Copies: tf.grads knows no gradient of less, not even zero.
    twin: (tf, a, b) => {
      const [x, y] = [a, b].map((z) => tf.tensor(z.dataSync(), z.shape)) as [TfTensor, TfTensor]
      const ones = tf.ones([2, 3])
      return tf.where(tf.less(x, y), tf.mul(a, ones), tf.mul(b, ones))
    },
  },
  {
    operator: 'where',
    title: 'where by a 0/1 constant',
    shapes: [
      [2, 1],
      [2, 3],
    ],
    build: (a, b) => engine.where(engine.constant(Float32Array.of(1, 0, 1), [3]), a, b),
    twin: (tf, a, b) => tf.where(tf.tensor1d([true, false, true], 'bool'), a, b),
  },

  one('negate', engine.negate, (tf, x) => tf.neg(x)),
  one('exp', engine.exp, (tf, x) => tf.exp(x)),
  one('log', engine.log, (tf, x) => tf.log(x), [0.5, 2]),
  one('sqrt', engine.sqrt, (tf, x) => tf.sqrt(x), [0.5, 2]),
  one('reciprocal', engine.reciprocal, (tf, x) => tf.reciprocal(x), [0.5, 2]),
  one('sigmoid', engine.sigmoid, (tf, x) => tf.sigmoid(x), [-4, 4]),
  one('tanh', engine.tanh, (tf, x) => tf.tanh(x), [-3, 3]),
  one('square', engine.square, (tf, x) => tf.square(x)),
  one('relu', engine.relu, (tf, x) => tf.relu(x)),
  one('erf', engine.erf, (tf, x) => tf.erf(x), [-3, 3]),
  one(
    'gelu',
    engine.gelu,
    (tf, x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.div(x, Math.SQRT2)), 1)),
    [-3, 3],
  ),
  one(
    'tanhGelu',
    engine.tanhGelu,
    (tf, x) => {
      const u = tf.mul(tf.add(x, tf.mul(tf.pow(x, 3), 0.044715)), Math.sqrt(2 / Math.PI))
      return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(u), 1))
    },
    [-3, 3],
  ),
  one('silu', engine.silu, (tf, x) => tf.mul(x, tf.sigmoid(x)), [-4, 4]),

  ...matmulCases,
  one('softmax', engine.softmax, (tf, x) => tf.softmax(x)),
  one('logSoftmax', engine.logSoftmax, (tf, x) => tf.logSoftmax(x)),
  {
    operator: 'linearCrossEntropy',
    title: 'linearCrossEntropy',
    shapes: [
      [3, 4],
      [5, 4],
    ],
    build: (x, w) => engine.linearCrossEntropy(x, w, ids([4, 0, 2], [3])),
    twin: (tf, x, w) => {
      const logs = tf.logSoftmax(tf.matMul(x, w, false, true))
      return tf.neg(tf.sum(tf.mul(logs, tf.oneHot(tf.tensor1d([4, 0, 2], 'int32'), 5)), -1))
    },
  },
  {
    operator: 'linearCrossEntropySlope',
    title: 'linearCrossEntropySlope',
    shapes: [
      [3, 4],
      [5, 4],
    ],
    build: (x, w) => engine.linearCrossEntropySlope(x, w, ids([4, 0, 2], [3])),
    forwardOnly: true,
  },
  {
    operator: 'addScaled',
    title: 'addScaled',
    shapes: [
      [2, 3, 4],
      [2, 3, 4],
      [2, 3, 1],
    ],
    build: (x, y, scale) => engine.addScaled(x, y, scale),
    twin: (tf, x, y, scale) => tf.add(x, tf.mul(y, scale)),
  },
  {
    operator: 'rmsNorm',
    title: 'rmsNorm',
    shapes: [[2, 2, 4], [4]],
    build: (x, w) => engine.rmsNorm(x, w, 1e-5),
    twin: (tf, x, w) =>
      tf.mul(tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-5))), w),
  },
  {
    operator: 'inverseRms',
    title: 'inverseRms',
    shapes: [[3, 4]],
    build: (x) => engine.inverseRms(x, 1e-3),
    twin: (tf, x) => tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-3)),
  },
  {
    operator: 'layerNorm',
    title: 'layerNorm',
    shapes: [[2, 2, 4], [4], [4]],
    build: (x, w, b) => engine.layerNorm(x, w, b, 1e-5),
    twin: (tf, x, w, b) => {
      const { mean, variance } = tf.moments(x, -1, true)
      return tf.add(tf.mul(tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 1e-5))), w), b)
    },
  },
  {
    operator: 'inverseDeviation',
    title: 'inverseDeviation',
    shapes: [[3, 4]],
    build: (x) => engine.inverseDeviation(x, 1e-3),
    twin: (tf, x) => tf.rsqrt(tf.add(tf.moments(x, -1, true).variance, 1e-3)),
  },
  {
    operator: 'rotary',
    title: 'rotary, positions out of order',
    shapes: [[2, 2, 3, 4]],
    build: (x) =>
      engine.rotary(
        x,
        ids([0, 1, 4, 2, 0, 3], [2, 3]),
        table((position, pair) => Math.cos(position / (pair + 1))),
        table((position, pair) => Math.sin(position / (pair + 1))),
      ),
    twin: (tf, x) => {
      const positions = tf.tensor([0, 1, 4, 2, 0, 3], [2, 1, 3, 1])
      const angles = tf.div(positions, tf.tensor1d([1, 2]))
      const [x1, x2] = tf.split(x, 2, -1) as [TfTensor, TfTensor]
      const [cos, sin] = [tf.cos(angles), tf.sin(angles)]
      return tf.concat(
        [tf.sub(tf.mul(x1, cos), tf.mul(x2, sin)), tf.add(tf.mul(x2, cos), tf.mul(x1, sin))],
        -1,
      )
    },
  },
  {
    operator: 'rotary',
    title: 'rotary of a part of each head',
    shapes: [[2, 3, 2, 6]],
    build: (x) =>
      engine.rotary(
        x,
        ids([0, 1, 4, 2], [2, 2]),
        table((position, pair) => Math.cos(position / (pair + 1))),
        table((position, pair) => Math.sin(position / (pair + 1))),
      ),
    twin: (tf, x) => {
      const angles = tf.div(tf.tensor([0, 1, 4, 2], [2, 1, 2, 1]), tf.tensor1d([1, 2]))
      const [x1, x2, rest] = tf.split(x, 3, -1) as [TfTensor, TfTensor, TfTensor]
      const [cos, sin] = [tf.cos(angles), tf.sin(angles)]
      const turned = tf.sub(tf.mul(x1, cos), tf.mul(x2, sin))
      return tf.concat([turned, tf.add(tf.mul(x2, cos), tf.mul(x1, sin)), rest], -1)
    },
  },

  {
    operator: 'transpose',
    title: 'transpose',
    shapes: [[2, 3, 2]],
    build: (x) => engine.transpose(x, [2, 0, 1]),
    twin: (tf, x) => tf.transpose(x, [2, 0, 1]),
  },
  {
    operator: 'reshape',
    title: 'reshape with -1',
    shapes: [[2, 3, 2]],
    build: (x) => engine.reshape(x, [-1, 2]),
    twin: (tf, x) => tf.reshape(x, [-1, 2]),
  },
  {
    operator: 'expand',
    title: 'expand, also by new axes',
    shapes: [[3, 1]],
    build: (x) => engine.expand(x, [2, 3, 2]),
    twin: (tf, x) => tf.add(x, tf.zeros([2, 3, 2])),
  },
  {
    operator: 'slice',
    title: 'slice',
    shapes: [[2, 5]],
    build: (x) => engine.slice(x, -1, 1, 3),
    twin: (tf, x) => tf.slice(x, [0, 1], [2, 2]),
  },
  {
    operator: 'pad',
    title: 'pad',
    shapes: [[2, 2]],
    build: (x) => engine.pad(x, 0, 1, 2),
    twin: (tf, x) =>
      tf.pad(x, [
        [1, 2],
        [0, 0],
      ]),
  },
  {
    operator: 'concat',
    title: 'concat',
    shapes: [
      [2, 1],
      [2, 3],
      [2, 2],
    ],
    build: (...xs) => engine.concat(xs, 1),
    twin: (tf, ...xs) => tf.concat(xs, 1),
  },
  ...reductions,

  {
    operator: 'gather',
    title: 'gather, a row twice',
    shapes: [[4, 3]],
    build: (x) => engine.gather(x, ids([3, 0, 3, 1], [2, 2])),
    twin: (tf, x) => tf.gather(x, tf.tensor2d([3, 0, 3, 1], [2, 2], 'int32')),
  },
  {
    operator: 'gatherLast',
    title: 'gatherLast, an element twice',
    shapes: [[3, 4]],
    build: (x) => engine.gatherLast(x, ids([3, 0, 1, 1, 2, 3], [3, 2])),
    twin: (tf, x) =>
      tf.reshape(
        tf.gather(tf.reshape(x, [-1]), tf.tensor1d([3, 0, 5, 5, 10, 11], 'int32')),
        [3, 2],
      ),
  },
  {
    operator: 'scatterAdd',
    title: 'scatterAdd, a row twice',
    shapes: [[3, 2]],
    build: (x) => engine.scatterAdd(4, ids([2, 0, 2], [3]), x),
    twin: (tf, x) => tf.matMul(tf.oneHot(tf.tensor1d([2, 0, 2], 'int32'), 4), x, true),
  },
  {
    operator: 'scatterAddLast',
    title: 'scatterAddLast, an element twice',
    shapes: [[2, 3]],
    build: (x) => engine.scatterAddLast(4, ids([2, 0, 2, 3, 1, 3], [2, 3]), x),
    twin: (tf, x) => {
      const chosen = tf.oneHot(tf.tensor2d([2, 0, 2, 3, 1, 3], [2, 3], 'int32'), 4)
      return tf.sum(tf.mul(tf.expandDims(x, -1), chosen), 1)
    },
  },
  {
    operator: 'topKIndices',
    title: 'topKIndices',
    shapes: [[3, 5]],
    build: (x) => engine.topKIndices(x, 3),
    twin: (tf, x) => tf.topk(x, 3).indices,
    forwardOnly: true,
  },
  {
    operator: 'argMax',
    title: 'argMax',
    shapes: [[3, 5]],
    build: engine.argMax,
    twin: (tf, x) => tf.argMax(x, -1),
    forwardOnly: true,
  },
  {
    operator: 'cast',
    title: 'cast truncates towards zero',
    shapes: [[3, 5]],
    build: (x) => engine.cast(x, 'int32'),
    twin: (tf, x) => tf.cast(x, 'int32'),
    forwardOnly: true,
  },
  {
    operator: 'stopGradient',
    title: 'stopGradient',
    shapes: [[2, 3]],
    build: engine.stopGradient,
    twin: (_, x) => x.clone(),
    forwardOnly: true,
  },
]
