import { expect, it, vi } from 'vitest'
import { createRandom } from '#base'
import { createExecutor, type ExecutorName } from '#engine'
import { createAdapter, toLeaves } from '#learning/lora'
import { createModel, initialise } from '#learning/models'
import { TrainStep } from '#learning/train'
import { batchShape, madeUpBatch } from '../../../bench/step/batches.ts'
import { loadTensorflow } from '../../../engine/tensorflow/load-tensorflow.ts'
import { TINY } from '../models/tiny-models.ts'

vi.setConfig({ testTimeout: 120_000 })

const STEPS = 8
const shape = batchShape({ batch: 2, length: 8 })
const model = createModel(TINY.llama)
const spec = { rank: 4, alpha: 8, targets: ['q_proj', 'v_proj', 'down_proj'] }
const batch = madeUpBatch(shape, model.config.vocabularySize)

/** Adapters on a frozen base, started alike each time. */
async function openStep(name: ExecutorName): Promise<TrainStep> {
  const trainee = {
    model,
    weights: initialise(model, createRandom('base')),
    base: 'frozen',
    adapters: [{ name: 'own', spec, trained: true }],
  } as const
  const executor = createExecutor(name, { threads: 1 })
  const step = await TrainStep.create({ trainee, executor, shape })
  await step.write(toLeaves('own', createAdapter(model, spec, createRandom('adapter'))))
  return step
}

async function train(name: ExecutorName) {
  const step = await openStep(name)
  const losses: number[] = []
  for (let i = 0; i < STEPS; i++) losses.push((await step.run(batch, 0.02)).loss)
  const trained = await step.read()
  await step.close()
  return { losses, trained }
}

it('trains a transformer alike in both executors, and the loss falls', async () => {
  const ours = await train('onnxruntime')
  const theirs = await train('tensorflow')
  expect(ours.losses.at(-1)).toBeLessThan(ours.losses[0]! - 0.05)
  ours.losses.forEach((loss, step) => {
    expect(Math.abs(loss - theirs.losses[step]!), `step ${step}`).toBeLessThan(1e-3)
  })
  expect(ours.losses[0]).toBeCloseTo(theirs.losses[0]!, 5)
  for (const [name, { data }] of ours.trained) {
    const other = theirs.trained.get(name)!.data
    const distance = Math.hypot(...data.map((x, i) => x - other[i]!))
    expect(distance / Math.hypot(...data), name).toBeLessThan(0.05)
  }
})

it('leaves no tensor behind in TensorFlow.js', async () => {
  const { tf } = await loadTensorflow()
  const before = tf.memory().numTensors
  const step = await openStep('tensorflow')
  const counts: number[] = []
  for (let i = 0; i < 2; i++) {
    await step.run(batch, 0.02)
    counts.push(tf.memory().numTensors)
  }
  expect(counts[1]).toBe(counts[0])
  await step.close()
  expect(tf.memory().numTensors).toBe(before)
})
