import type { Tensor } from '#engine'
import { type Checkpoint, initialise } from '#learning/models'
import { ForwardPass, linearSchedule, TrainStep } from '#learning/train'
import { natsPerByte, sameTokenizerTargets } from '#learning/tuning'
import { PRETRAINING_SHAPE, type PretrainInit, pretrainingBatches } from './pretrain.ts'

const TOP_K = 16
const TEMPERATURE = 1.5
const KD_WEIGHT = 0.7

/** Trains a model from scratch on the same text as its teacher, on the teacher's distributions and on the text itself. */
export async function distil(
  init: PretrainInit & { readonly teacher: Checkpoint },
): Promise<ReadonlyMap<string, Tensor>> {
  const { recipe, model, executor, random, teacher, onStep } = init
  const shape = PRETRAINING_SHAPE
  const pass = await ForwardPass.create({
    trainee: { model: teacher.model, weights: teacher.weights, base: 'frozen', adapters: [] },
    executor,
    shape,
    teacher: { topK: TOP_K, temperature: TEMPERATURE },
  })
  const step = await TrainStep.create({
    trainee: { model, weights: new Map(), base: 'trained', adapters: [] },
    executor,
    shape,
    weightDecay: 0.05,
    teacher: {
      topK: TOP_K,
      entries: shape.rows * TOP_K,
      temperature: TEMPERATURE,
      gate: false,
    },
  })
  await step.write(initialise(model, random.fork('initialise')))
  const batches = pretrainingBatches(init)
  const schedule = linearSchedule(batches.length, Math.min(200, batches.length / 10), 0.02)
  for (const [index, batch] of batches.entries()) {
    const said = await pass.run(batch)
    const result = await step.run(batch, recipe.learningRate * schedule(index), {
      targets: sameTokenizerTargets(batch, said, model.config.vocabularySize),
      teacherNatsPerByte: natsPerByte(batch, said),
      kdWeight: KD_WEIGHT,
    })
    onStep(index + 1, batches.length, result.crossEntropy, batch.tokenCount)
  }
  const weights = await step.read()
  await step.close()
  await pass.close()
  return weights
}
