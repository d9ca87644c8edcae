import { closeOnFailure } from '#base'
import { type Executor, type Session, type Tensor, tensor, writeKnown, zeroTensor } from '#engine'
import type { SparseTargets } from '#learning/align'
import type { PackedBatch } from '#learning/data'
import { type BatchShape, batchFeeds, runWith } from './batch-inputs.ts'
import { type TrainProgram, type TrainProgramInit, trainProgram } from './train-program.ts'

export interface TrainStepInit extends TrainProgramInit {
  readonly executor: Executor
  /** Packs frozen float32 weights for both directions: a little faster, twice their memory. Mapped unless told. */
  readonly packWeights?: boolean
}

/** What a step learns from a teacher. */
export interface Lesson {
  readonly targets: SparseTargets
  /** `[X]`: the teacher's loss in nats per byte of each example's answer. */
  readonly teacherNatsPerByte: Float32Array
  /** Weight of the distillation loss; one minus it is that of the cross-entropy. */
  readonly kdWeight: number
}

export interface StepResult {
  readonly loss: number
  /** Mean nats of a supervised token. */
  readonly crossEntropy: number
  /** Mean of the distillation loss over the supervised tokens; 0 without a teacher. */
  readonly distillation: number
  /** Share of the supervised tokens whose teacher was let through by the gate; 0 without a teacher. */
  readonly gateOpen: number
  readonly gradientNorm: number
}

/** One batch of the several that make a step. */
interface StepPart {
  /** What its mean gradient counts for. */
  readonly share: number
  /** Takes the step with all that has been added up. */
  readonly applies: boolean
}

/**
 * A whole training step as one compiled program: forward pass, losses on the supervised positions, backward pass, clipping by the
 * global norm, AdamW. Parameters and moments stay in the session.
 */
export class TrainStep {
  readonly shape: BatchShape
  readonly #session: Session
  readonly #vocabularySize: number
  readonly #trained: readonly string[]
  readonly #state: ReadonlyMap<string, readonly number[]>

  private constructor(
    session: Session,
    { shape, trainee }: TrainStepInit,
    { trained, state }: TrainProgram,
  ) {
    this.#session = session
    this.shape = shape
    this.#vocabularySize = trainee.model.config.vocabularySize
    this.#trained = trained
    this.#state = state
  }

  /** @throws ENGINE_MISSING_WEIGHT, ENGINE_WRONG_TENSOR, ENGINE_COMPILE_FAILED */
  static async create(init: TrainStepInit): Promise<TrainStep> {
    const compiled = trainProgram(init)
    const { executor, trainee, packWeights = false } = init
    const session = await executor.compile(compiled.program, {
      weights: trainee.weights,
      prepack: packWeights,
    })
    const step = new TrainStep(session, init, compiled)
    await closeOnFailure(step, () => step.resetOptimiser())
    return step
  }

  /** Of a step that accumulates, `part` says how much of the step this batch is, and whether it is taken now. */
  async run(
    batch: PackedBatch,
    learningRate: number,
    lesson?: Lesson,
    part: StepPart = { share: 1, applies: true },
  ): Promise<StepResult> {
    const scalar = (value: number) => tensor(Float32Array.of(value), [])
    const result = await runWith(this.#session, {
      ...batchFeeds(batch, this.shape),
      ...(lesson ? lessonFeeds(lesson, this.shape) : {}),
      ...(lesson ? { flatTargets: this.#flatTargets(batch) } : {}),
      learningRate: scalar(learningRate),
      share: scalar(part.share),
      apply: scalar(part.applies ? 1 : 0),
    })
    const number = (name: string) => result[name]?.data[0] ?? 0
    return {
      loss: number('loss'),
      crossEntropy: number('crossEntropy'),
      distillation: number('distillation'),
      gateOpen: number('gateOpen'),
      gradientNorm: number('gradientNorm'),
    }
  }

  /** The trained tensors as they are now. */
  async read(): Promise<ReadonlyMap<string, Tensor>> {
    return this.#session.readVariables(this.#trained)
  }

  /** Sets trained or live tensors; names that this step does not hold are passed over. */
  async write(values: ReadonlyMap<string, Tensor>): Promise<void> {
    await writeKnown(this.#session, values)
  }

  /** Forgets the moments, for a new phase of training. */
  async resetOptimiser(): Promise<void> {
    const zeros = [...this.#state].map(([name, shape]) => [name, zeroTensor(shape)] as const)
    await this.#session.writeVariables(new Map(zeros))
  }

  async close(): Promise<void> {
    await this.#session.close()
  }

  /** Of each row's target, where it lies among all rows' tokens. */
  #flatTargets({ targets }: PackedBatch): Tensor {
    const flat = targets.map((target, row) => row * this.#vocabularySize + target)
    return tensor(flat, [flat.length])
  }
}

function lessonFeeds(lesson: Lesson, shape: BatchShape): Record<string, Tensor> {
  const { targets } = lesson
  const topK = targets.teacher.length / shape.rows
  return {
    flatIndex: tensor(targets.flatIndex, [targets.flatIndex.length]),
    weight: tensor(targets.weight, [targets.weight.length]),
    slot: tensor(targets.slot, [targets.slot.length]),
    teacher: tensor(targets.teacher, [shape.rows, topK]),
    tail: tensor(targets.tail, [shape.rows]),
    kdRowWeight: tensor(targets.rowWeight, [shape.rows]),
    teacherNatsPerByte: tensor(lesson.teacherNatsPerByte, [shape.examples]),
    kdWeight: tensor(Float32Array.of(lesson.kdWeight), []),
  }
}
