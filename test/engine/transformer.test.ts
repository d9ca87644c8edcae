import { expect, it } from 'vitest'
import * as engine from '#engine'
import { buildStep, stepFeeds } from '../../bench/step/ours.ts'
import { loadTensorflow } from '../../engine/tensorflow/load-tensorflow.ts'

const SHAPE = {
  vocabulary: 48,
  hidden: 16,
  layers: 2,
  heads: 2,
  mlp: 24,
  rank: 4,
  batch: 2,
  length: 8,
} as const
const STEPS = 8

const rows = SHAPE.batch * SHAPE.length
const { tokens, labels } = stepFeeds(SHAPE)
const feeds = {
  tokens: engine.tensor(tokens, [rows]),
  labels: engine.tensor(labels, [rows, 1]),
  learningRate: engine.tensor(Float32Array.of(0.02), []),
}

/** Trains a small Llama by LoRA on one batch; the loss of each step and what the adapters became. */
async function train(name: engine.ExecutorName) {
  const { program, weights, variables } = buildStep(SHAPE)
  const session = await engine.createExecutor(name, { threads: 1 }).compile(program, { weights })
  await session.writeVariables(variables)
  const losses: number[] = []
  for (let step = 0; step < STEPS; step++) {
    losses.push((await session.run(feeds)).loss?.data[0] ?? Number.NaN)
  }
  const trained = await session.readVariables([...variables.keys()])
  await session.close()
  return { losses, trained }
}

it('trains a transformer alike in both executors, and the loss falls', async () => {
  const ours = await train('onnxruntime')
  const theirs = await train('tensorflow')
  expect(ours.losses.at(-1)).toBeLessThan((ours.losses[0] ?? 0) - 0.05)
  ours.losses.forEach((loss, step) => {
    expect(Math.abs(loss - (theirs.losses[step] ?? Number.NaN)), `step ${step}`).toBeLessThan(1e-3)
  })
  expect(ours.losses[0]).toBeCloseTo(theirs.losses[0] ?? 0, 5)
  for (const [name, { data }] of ours.trained) {
    const other = theirs.trained.get(name)?.data ?? []
    const distance = Math.hypot(...data.map((x, i) => x - (other[i] ?? Number.NaN)))
    expect(distance / Math.hypot(...data), name).toBeLessThan(0.05)
  }
})

it('leaves no tensor behind in TensorFlow.js', async () => {
  const tf = await loadTensorflow()
  const before = tf.memory().numTensors
  const { program, weights, variables } = buildStep(SHAPE)
  const session = await engine.createExecutor('tensorflow').compile(program, { weights })
  await session.writeVariables(variables)
  const counts: number[] = []
  for (let step = 0; step < 2; step++) {
    await session.run(feeds)
    counts.push(tf.memory().numTensors)
  }
  expect(counts[1]).toBe(counts[0])
  await session.close()
  expect(tf.memory().numTensors).toBe(before)
})
