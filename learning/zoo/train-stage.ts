import type { Executor, Tensor } from '#engine'
import type { PackedBatch } from '#learning/data'
import type { CausalModel, Checkpoint } from '#learning/models'
import { type BatchShape, ForwardPass, linearSchedule, TrainStep } from '#learning/train'
import { natsPerByte, sameTokenizerTargets } from '#learning/tuning'

export type OnStep = (done: number, total: number, loss: number, tokens: number) => void

export interface StageInit {
  readonly model: CausalModel
  readonly weights: ReadonlyMap<string, Tensor>
  readonly batches: readonly PackedBatch[]
  readonly shape: BatchShape
  readonly learningRate: number
  /** A model of the same tokenizer to learn from beside the text. */
  readonly teacher?: Checkpoint | undefined
  readonly executor: Executor
  readonly onStep: OnStep
}

const WARMUP_STEPS = 100
const WEIGHT_DECAY = 0.05
const DISTILLATION = { topK: 16, temperature: 1.5, gate: false }
const KD_WEIGHT = 0.7

/** Trains every parameter, on the text alone or on a teacher's distributions as well. */
export async function trainStage(init: StageInit): Promise<ReadonlyMap<string, Tensor>> {
  const { model, batches, shape, learningRate, teacher, executor, onStep } = init
  const pass = teacher
    ? await ForwardPass.create({
        trainee: { model: teacher.model, weights: teacher.weights, base: 'frozen', adapters: [] },
        executor,
        shape,
        teacher: DISTILLATION,
      })
    : undefined
  const step = await TrainStep.create({
    trainee: { model, weights: new Map(), base: 'trained', adapters: [] },
    executor,
    shape,
    weightDecay: WEIGHT_DECAY,
    ...(pass ? { teacher: { ...DISTILLATION, entries: shape.rows * DISTILLATION.topK } } : {}),
  })
  try {
    await step.write(init.weights)
    const schedule = linearSchedule(
      batches.length,
      Math.min(WARMUP_STEPS, batches.length / 10),
      0.02,
    )
    for (const [index, batch] of batches.entries()) {
      const rate = learningRate * schedule(index)
      const lesson = pass && (await lessonOf(pass, batch, model))
      const result = await step.run(batch, rate, lesson)
      onStep(index + 1, batches.length, result.crossEntropy, batch.tokenCount)
    }
    return await step.read()
  } finally {
    await step.close()
    await pass?.close()
  }
}

async function lessonOf(pass: ForwardPass, batch: PackedBatch, model: CausalModel) {
  const said = await pass.run(batch)
  return {
    targets: sameTokenizerTargets(batch, said, model.config.vocabularySize),
    teacherNatsPerByte: natsPerByte(batch, said),
    kdWeight: KD_WEIGHT,
  }
}
