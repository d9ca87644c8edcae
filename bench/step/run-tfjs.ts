import type * as tensorflow from '@tensorflow/tfjs-core'
import { createRandom } from '#base'
import { stepFeeds } from './ours.ts'
import { serveSteps } from './serve-steps.ts'
import { blockLinears, STEP_SHAPE } from './shape.ts'

/** A contender: TensorFlow.js on WebAssembly, the same step written with its own operators, tape and Adam. */

type Tf = typeof tensorflow
type Tensor = tensorflow.Tensor

// The bundle has the gradients; both packages share one engine.
const bundle = '@tensorflow/tfjs/dist/tf.min.js'
const { default: tf } = (await import(bundle)) as { readonly default: Tf }
const { setThreadsCount } = await import('@tensorflow/tfjs-backend-wasm')
tf.enableProdMode()
setThreadsCount(Number(process.argv[2]))
await tf.setBackend('wasm')

const { vocabulary, hidden, layers, heads, rank, batch, length } = STEP_SHAPE
const width = hidden / heads
const rows = batch * length
const random = createRandom('bench')
const normal = (shape: number[]) => {
  const size = shape.reduce((product, dimension) => product * dimension, 1)
  return tf.tensor(
    Float32Array.from({ length: size }, () => random.normal() * 0.02),
    shape,
  )
}

const linears = Array.from({ length: layers }, () =>
  blockLinears(STEP_SHAPE).map(({ inputs, outputs }) => ({
    w: normal([outputs, inputs]),
    a: tf.variable(normal([rank, inputs])),
    b: tf.variable(tf.zeros([outputs, rank])),
  })),
)
const norms = Array.from({ length: 2 * layers + 1 }, () => tf.ones([hidden]))
const embedding = normal([vocabulary, hidden]) as tensorflow.Tensor2D
const angles = tf.outerProduct(
  tf.range(0, length),
  tf.pow(10_000, tf.mul(tf.range(0, width / 2), -2 / width)) as tensorflow.Tensor1D,
)
const [cosines, sines] = [tf.cos(angles), tf.sin(angles)]
const causal = tf.mul(tf.sub(1, tf.linalg.bandPart(tf.ones([length, length]), -1, 0)), -1e9)
const feeds = stepFeeds(STEP_SHAPE)
const tokens = tf.tensor1d(feeds.tokens, 'int32')
const targets = tf.cast(tf.oneHot(tf.tensor1d(feeds.labels, 'int32'), vocabulary), 'float32')

function linear(x: Tensor, layer: number, kind: number): Tensor {
  const at = linears[layer]?.[kind]
  if (!at) throw new RangeError(`no linear layer ${kind}`)
  const low = tf.mul(tf.matMul(x, at.a, false, true), 2)
  return tf.add(tf.matMul(x, at.w, false, true), tf.matMul(low, at.b, false, true))
}

function norm(x: Tensor, index: number): Tensor {
  const scale = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-5))
  return tf.mul(tf.mul(x, scale), norms[index] ?? 1)
}

function byHead(x: Tensor): Tensor {
  return tf.transpose(tf.reshape(x, [batch, length, heads, width]), [0, 2, 1, 3])
}

function rotate(x: Tensor): Tensor {
  const [x1, x2] = tf.split(x, 2, -1) as [Tensor, Tensor]
  return tf.concat(
    [
      tf.sub(tf.mul(x1, cosines), tf.mul(x2, sines)),
      tf.add(tf.mul(x2, cosines), tf.mul(x1, sines)),
    ],
    -1,
  )
}

function loss(): tensorflow.Scalar {
  let x: Tensor = tf.gather(embedding, tokens)
  for (let layer = 0; layer < layers; layer++) {
    const before = norm(x, 2 * layer)
    const [query, key, value] = [0, 1, 2].map((kind) => byHead(linear(before, layer, kind)))
    if (!query || !key || !value) throw new RangeError('three projections')
    const scores = tf.mul(tf.matMul(rotate(query), rotate(key), false, true), 1 / Math.sqrt(width))
    const mixed = tf.matMul(tf.softmax(tf.add(scores, causal)), value)
    const joined = tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [rows, hidden])
    x = tf.add(x, linear(joined, layer, 3))
    const between = norm(x, 2 * layer + 1)
    const gate = linear(between, layer, 4)
    const gated = tf.mul(tf.mul(gate, tf.sigmoid(gate)), linear(between, layer, 5))
    x = tf.add(x, linear(gated, layer, 6))
  }
  const logits = tf.matMul(norm(x, 2 * layers), embedding, false, true)
  return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), targets), -1))) as tensorflow.Scalar
}

const optimiser = tf.train.adam(1e-3)

await serveSteps(async () => {
  const value = optimiser.minimize(loss, true)
  const result = (await value?.data())?.[0] ?? Number.NaN
  value?.dispose()
  return result
})
