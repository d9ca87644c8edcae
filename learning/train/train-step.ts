import {
  adamW,
  add,
  createProgram,
  type Executor,
  gradients,
  input,
  mergeProducts,
  multiply,
  type Node,
  type Session,
  scalar,
  subtract,
  type Tensor,
  tensor,
  zeroTensor,
} from '#engine'
import type { SparseTargets } from '#learning/align'
import type { PackedBatch } from '#learning/data'
import {
  type BatchInputs,
  type BatchShape,
  batchFeeds,
  batchInputs,
  rowLogits,
  runWith,
  writeKnown,
} from './batch-inputs.ts'
import {
  denseCrossEntropy,
  projectedKl,
  rowCrossEntropy,
  type TeacherInputs,
  teacherInputs,
  teacherIsBetter,
  weightedMean,
} from './losses.ts'
import { type Trainee, traineeScope } from './trainee.ts'

export interface TrainStepInit {
  readonly trainee: Trainee
  readonly executor: Executor
  readonly shape: BatchShape
  /** Adds the distillation loss; none unless told. */
  readonly teacher?: TeacherShape
  readonly weightDecay?: number
  readonly maxGradientNorm?: number
}

export interface TeacherShape {
  readonly topK: number
  /** Entries of the sparse projection that a batch may have, N. */
  readonly entries: number
  readonly temperature: number
  /** Distil only where the teacher is better on the example. */
  readonly gate: boolean
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

/**
 * A whole training step as one compiled program: forward pass, losses on the supervised positions, backward pass, clipping by the
 * global norm, AdamW. Parameters and moments stay in the session.
 */
export class TrainStep {
  readonly shape: BatchShape
  readonly #session: Session
  readonly #trained: readonly string[]
  readonly #state: ReadonlyMap<string, readonly number[]>

  private constructor(
    session: Session,
    shape: BatchShape,
    trained: readonly string[],
    state: ReadonlyMap<string, readonly number[]>,
  ) {
    this.#session = session
    this.shape = shape
    this.#trained = trained
    this.#state = state
  }

  static async create(init: TrainStepInit): Promise<TrainStep> {
    const { trainee, executor, shape, teacher } = init
    const inputs = batchInputs(shape)
    const { scope, trained } = traineeScope(trainee)
    const logits = rowLogits(trainee.model, inputs, scope)
    const nll = (teacher ? denseCrossEntropy : rowCrossEntropy)(logits, inputs.targets)
    const crossEntropy = weightedMean(nll, inputs.rowWeight)
    const outputs: Record<string, Node> = { crossEntropy }
    let loss = crossEntropy
    if (teacher) {
      const taught = distillation(logits, nll, inputs, teacher, shape)
      const share = input('kdWeight', [])
      loss = add(multiply(subtract(scalar(1), share), crossEntropy), multiply(share, taught.loss))
      outputs.distillation = taught.loss
      outputs.gateOpen = taught.gateOpen
    }
    const merged = mergeProducts({ ...outputs, loss })
    const parameters = [...trained.values()]
    const { updates, state, norm } = adamW(parameters, gradients(merged.loss, parameters), {
      learningRate: input('learningRate', []),
      beta2: 0.99,
      weightDecay: init.weightDecay ?? 0,
      clipNorm: init.maxGradientNorm ?? 1,
    })
    const program = createProgram({ outputs: { ...merged, gradientNorm: norm }, updates })
    const session = await executor.compile(program, { weights: trainee.weights, prepack: false })
    const step = new TrainStep(session, shape, [...trained.keys()], state)
    await step.resetOptimiser()
    return step
  }

  async run(batch: PackedBatch, learningRate: number, lesson?: Lesson): Promise<StepResult> {
    const result = await runWith(this.#session, {
      ...batchFeeds(batch, this.shape),
      ...(lesson ? lessonFeeds(lesson, this.shape) : {}),
      learningRate: tensor(Float32Array.of(learningRate), []),
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
}

function distillation(
  logits: Node,
  nll: Node,
  inputs: BatchInputs,
  teacher: TeacherShape,
  shape: BatchShape,
): { readonly loss: Node; readonly gateOpen: Node } {
  const targets: TeacherInputs = teacherInputs(shape.rows, teacher.topK, teacher.entries)
  let open = targets.rowWeight
  if (teacher.gate) {
    const better = teacherIsBetter(
      nll,
      inputs.rowWeight,
      inputs.rowExample,
      input('teacherNatsPerByte', [shape.examples]),
      inputs.exampleBytes,
    )
    open = multiply(open, better)
  }
  const divergence = multiply(projectedKl(logits, targets, teacher.temperature), open)
  return {
    loss: weightedMean(divergence, inputs.rowWeight),
    gateOpen: weightedMean(open, inputs.rowWeight),
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
