import type * as tensorflow from '@tensorflow/tfjs-core'
import { loadCheckpoint } from '#learning/models'
import { QUERY_AND_VALUE } from '../flops.ts'
import { madeUpToken } from './batches.ts'
import { serveSteps } from './serve-steps.ts'
import type { StepSpec } from './step-spec.ts'

/** A contender: TensorFlow.js on WebAssembly, the same step written with its own operators, tape and Adam. */

type Tf = typeof tensorflow
type Tensor = tensorflow.Tensor

const spec = JSON.parse(process.argv[2]!) as StepSpec
// The bundle has the gradients; both packages share one engine.
const bundle = '@tensorflow/tfjs/dist/tf.min.js'
const { default: tf } = (await import(bundle)) as { readonly default: Tf }
const { setThreadsCount } = await import('@tensorflow/tfjs-backend-wasm')
tf.enableProdMode()
setThreadsCount(spec.threads)
await tf.setBackend('wasm')

const { model, weights } = await loadCheckpoint(spec.folder)
const { layers, heads, keyValueHeads, headSize, vocabularySize, hiddenSize } = model.config
const { epsilon, rope } = model.config
const { batch, length, rank } = spec
const rows = batch * length
if (heads !== keyValueHeads) throw new RangeError('written for as many key as query heads')

const parameters = new Map<string, Tensor>()
for (const [name, { data, shape }] of weights) {
  const value = tf.tensor(data, [...shape])
  parameters.set(name, value)
}
const adapters = new Map<string, { readonly a: Tensor; readonly b: Tensor }>()
for (const { name, inputSize, outputSize } of model.linears) {
  if (spec.trained === 'qv' && !QUERY_AND_VALUE.some((target) => name.endsWith(target))) continue
  const bound = 1 / Math.sqrt(inputSize)
  const a = tf.variable(tf.randomUniform([rank, inputSize], -bound, bound))
  adapters.set(name, { a, b: tf.variable(tf.zeros([outputSize, rank])) })
}
const parameter = (name: string): Tensor => parameters.get(`${name}.weight`)!

const angles = tf.outerProduct(
  tf.range(0, length),
  tf.pow(rope!.theta, tf.mul(tf.range(0, headSize / 2), -2 / headSize)) as tensorflow.Tensor1D,
)
const [cosines, sines] = [tf.cos(angles), tf.sin(angles)]
const causal = tf.mul(tf.sub(1, tf.linalg.bandPart(tf.ones([length, length]), -1, 0)), -1e9)
const token = (position: number) => madeUpToken(position, vocabularySize)
const tokens = tf.tensor1d(
  Array.from({ length: rows }, (_, i) => token(i)),
  'int32',
)
const labels = tf.tensor1d(
  Array.from({ length: rows }, (_, i) => token(i + 1)),
  'int32',
)
const targets = tf.cast(tf.oneHot(labels, vocabularySize), 'float32')

function linear(x: Tensor, name: string): Tensor {
  const y = tf.matMul(x, parameter(name), false, true)
  const adapter = adapters.get(name)
  if (!adapter) return y
  const low = tf.mul(tf.matMul(x, adapter.a, false, true), spec.alpha / rank)
  return tf.add(y, tf.matMul(low, adapter.b, false, true))
}

function norm(x: Tensor, name: string): Tensor {
  const scale = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), epsilon))
  return tf.mul(tf.mul(x, scale), parameter(name))
}

function byHead(x: Tensor): Tensor {
  return tf.transpose(tf.reshape(x, [batch, length, heads, headSize]), [0, 2, 1, 3])
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
  const embedding = parameter('model.embed_tokens') as tensorflow.Tensor2D
  let x: Tensor = tf.gather(embedding, tokens)
  for (let index = 0; index < layers; index++) {
    const layer = `model.layers.${index}`
    const before = norm(x, `${layer}.input_layernorm`)
    const heard = (kind: string) => byHead(linear(before, `${layer}.self_attn.${kind}_proj`))
    const scores = tf.matMul(rotate(heard('q')), rotate(heard('k')), false, true)
    const scaled = tf.add(tf.mul(scores, 1 / Math.sqrt(headSize)), causal)
    const mixed = tf.matMul(tf.softmax(scaled), heard('v'))
    const joined = tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [rows, hiddenSize])
    x = tf.add(x, linear(joined, `${layer}.self_attn.o_proj`))
    const between = norm(x, `${layer}.post_attention_layernorm`)
    const gate = linear(between, `${layer}.mlp.gate_proj`)
    const gated = tf.mul(tf.mul(gate, tf.sigmoid(gate)), linear(between, `${layer}.mlp.up_proj`))
    x = tf.add(x, linear(gated, `${layer}.mlp.down_proj`))
  }
  const logits = tf.matMul(norm(x, 'model.norm'), embedding, false, true)
  return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), targets), -1))) as tensorflow.Scalar
}

const optimiser = tf.train.adam(spec.learningRate)

await serveSteps(async () => {
  const value = optimiser.minimize(loss, true)
  const result = (await value?.data())?.[0] ?? Number.NaN
  value?.dispose()
  return result
})
