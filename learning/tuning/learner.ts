import { closeOnFailure } from '#base'
import type { Executor, Recompute, Tensor } from '#engine'
import type { PackedBatch } from '#learning/data'
import type { AdapterLayer } from '#learning/lora'
import {
  type BatchShape,
  ForwardPass,
  type ForwardResult,
  type Lesson,
  type StepResult,
  type TeacherShape,
  TrainStep,
} from '#learning/train'
import { batchShape } from './batch-shape.ts'
import type { TuningSettings } from './settings.ts'
import type { TunedModel } from './tuned-model.ts'

export interface LearnerInit {
  readonly model: TunedModel
  readonly executor: Executor
  readonly shape: BatchShape
  readonly base: 'frozen' | 'trained'
  readonly adapters?: readonly (AdapterLayer & { readonly trained: boolean })[]
  /** Present if it learns from a teacher and teaches in turn. */
  readonly teacher?: TeacherShape
  readonly recompute?: Recompute
  readonly packWeights?: boolean
  /** Batches that make one step; one unless told. */
  readonly accumulate?: number
}

/** What the settings say of every learner of a peer. */
export function commonInit(
  executor: Executor,
  settings: TuningSettings,
): Pick<LearnerInit, 'executor' | 'shape' | 'recompute' | 'packWeights' | 'accumulate'> {
  const { recompute, packWeights, accumulate } = settings
  return { executor, shape: batchShape(settings), recompute, packWeights, accumulate }
}

/** A model while it learns: a training step, and a forward pass that teaches with the parameters as they are. */
export class Learner {
  readonly model: TunedModel
  readonly #step: TrainStep
  readonly #pass: ForwardPass | undefined
  readonly #accumulate: number
  #passIsStale = true
  /** Batches read since the last step was taken. */
  #read = 0

  private constructor(init: LearnerInit, step: TrainStep, pass: ForwardPass | undefined) {
    this.model = init.model
    this.#step = step
    this.#pass = pass
    this.#accumulate = init.accumulate ?? 1
  }

  /** Leaves no session open where one of its two cannot be compiled. */
  static async create(init: LearnerInit): Promise<Learner> {
    const { executor, shape, teacher, base, adapters = [], accumulate = 1 } = init
    const { recompute, packWeights = false } = init
    const { model, weights } = init.model.checkpoint
    const trainee = { model, weights, base, adapters }
    const step = await TrainStep.create({
      trainee,
      executor,
      shape,
      accumulate: accumulate > 1,
      packWeights,
      ...(recompute ? { recompute } : {}),
      ...(teacher ? { teacher } : {}),
    })
    const pass = teacher
      ? await closeOnFailure(step, () =>
          ForwardPass.create({
            trainee: { ...trainee, base: base === 'trained' ? 'live' : base },
            executor,
            shape,
            teacher,
          }),
        )
      : undefined
    return new Learner(init, step, pass)
  }

  /** What the model thinks of a batch. */
  async teach(batch: PackedBatch): Promise<ForwardResult> {
    if (!this.#pass) throw new TypeError('this learner was not created to teach')
    if (this.#passIsStale) await this.#pass.write(await this.#step.read())
    this.#passIsStale = false
    return this.#pass.run(batch)
  }

  /**
   * Learns from a batch: takes a step, or adds to the one that comes after `accumulate` batches.
   *
   * @param isLast takes the step in any case, so that nothing of it is lost
   */
  async learn(
    batch: PackedBatch,
    learningRate: number,
    { lesson, isLast = false }: { readonly lesson?: Lesson; readonly isLast?: boolean } = {},
  ): Promise<StepResult> {
    this.#read++
    const applies = isLast || this.#read === this.#accumulate
    const result = await this.#step.run(batch, learningRate, lesson, {
      share: 1 / this.#accumulate,
      applies,
    })
    if (applies) {
      this.#read = 0
      this.#passIsStale = true
    }
    return result
  }

  /** Sets parameters and adapters; the latter under the names of their leaves, `<adapter>/<tensor>`. */
  async write(values: ReadonlyMap<string, Tensor>): Promise<void> {
    await this.#step.write(values)
    await this.#pass?.write(values)
    this.#passIsStale = true
  }

  /** What is trained, as it is now. */
  async read(): Promise<ReadonlyMap<string, Tensor>> {
    return this.#step.read()
  }

  /** Forgets the moments, and gradients that no step has taken. */
  async resetOptimiser(): Promise<void> {
    this.#read = 0
    await this.#step.resetOptimiser()
  }

  async close(): Promise<void> {
    await this.#step.close()
    await this.#pass?.close()
  }
}
