import { createRandom } from '#base'
import { alignRows, buildProjection, sparseTargets } from '#learning/align'
import { type Example, type PackedBatch, packPairs } from '#learning/data'
import type { Tokenizer } from '#learning/text'
import type { BatchShape, ForwardResult, Lesson, TeacherShape } from '#learning/train'
import { encodeExamples } from './encode-examples.ts'
import type { Learner } from './learner.ts'
import { learningRateAt } from './learning-rate-at.ts'
import { natsPerByte, sameTokenizerTargets } from './same-tokenizer.ts'
import type { TuningSettings } from './settings.ts'
import { startStepClock } from './step-clock.ts'
import type { OnProgress, TuningProgress } from './types.ts'

/** One of the two that learn from each other. */
interface Partner {
  readonly learner: Learner
  readonly learningRate: number
  /** Weight of the distillation loss in this one's loss. */
  readonly kdWeight: number
}

export interface MutualLearningInit {
  /** The small model on a device, the large one in the cloud. */
  readonly model: Partner
  /** The proxy model. */
  readonly proxy: Partner
  readonly examples: readonly Example[]
  readonly epochs: number
  /** From 1. */
  readonly round: number
  readonly rounds: number
  readonly seed: string | number
  readonly shape: BatchShape
  readonly settings: TuningSettings
  readonly phase?: TuningProgress['phase']
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

export interface MutualLearningResult {
  readonly steps: number
  readonly metrics: Readonly<Record<string, number>>
}

/**
 * Structure-agnostic mutual learning, one round: both models read the same text, each with its own tokenizer, and each learns
 * from the text and from the other (docs/co-tuning.md).
 */
export async function learnMutually(init: MutualLearningInit): Promise<MutualLearningResult> {
  const { model, proxy, settings, signal, shape } = init
  const batches = pairedBatches(init, proxy.learner.model.tokenizer)
  const toModel = createTeaching(model.learner, proxy.learner, settings, shape)
  const toProxy = createTeaching(proxy.learner, model.learner, settings, shape)
  const ramp = Math.min(1, init.round / Math.max(1, settings.rampRounds))
  const sums = { model: 0, proxy: 0, modelGate: 0, proxyGate: 0 }
  const clock = startStepClock(aboutSteps(init, batches.length), init.onProgress)
  for (const [index, [modelBatch, proxyBatch]] of batches.entries()) {
    signal?.throwIfAborted()
    const rate = learningRateAt(init.round, init.rounds, index, batches.length)
    const modelSays = await model.learner.teach(modelBatch)
    const proxySays = await proxy.learner.teach(proxyBatch)
    const learnt = await model.learner.learn(modelBatch, model.learningRate * rate, {
      lesson: toModel(modelBatch, proxyBatch, proxySays, ramp * model.kdWeight),
      isLast: index === batches.length - 1,
    })
    const proxyLearnt = await proxy.learner.learn(proxyBatch, proxy.learningRate * rate, {
      lesson: toProxy(proxyBatch, modelBatch, modelSays, ramp * proxy.kdWeight),
      isLast: index === batches.length - 1,
    })
    sums.model += learnt.crossEntropy
    sums.proxy += proxyLearnt.crossEntropy
    sums.modelGate += learnt.gateOpen
    sums.proxyGate += proxyLearnt.gateOpen
    clock(index + 1, learnt.crossEntropy, modelBatch.tokenCount + proxyBatch.tokenCount)
  }
  const count = Math.max(1, batches.length)
  return {
    steps: batches.length,
    metrics: {
      modelLoss: sums.model / count,
      dpmLoss: sums.proxy / count,
      modelGateOpen: sums.modelGate / count,
      dpmGateOpen: sums.proxyGate / count,
    },
  }
}

/**
 * The baseline: the model alone, on the very batches and at the very rates that mutual learning would give it.
 *
 * @param proxyTokenizer decides with the model's own how many examples a batch holds
 */
export async function learnAlone(
  init: Omit<MutualLearningInit, 'proxy'> & { readonly proxyTokenizer: Tokenizer },
): Promise<MutualLearningResult> {
  const { model, proxyTokenizer, signal } = init
  const batches = pairedBatches(init, proxyTokenizer)
  const clock = startStepClock(aboutSteps(init, batches.length), init.onProgress)
  let sum = 0
  for (const [index, [batch]] of batches.entries()) {
    signal?.throwIfAborted()
    const rate = learningRateAt(init.round, init.rounds, index, batches.length)
    const isLast = index === batches.length - 1
    const learnt = await model.learner.learn(batch, model.learningRate * rate, { isLast })
    sum += learnt.crossEntropy
    clock(index + 1, learnt.crossEntropy, batch.tokenCount)
  }
  return { steps: batches.length, metrics: { modelLoss: sum / Math.max(1, batches.length) } }
}

function pairedBatches(
  init: Pick<MutualLearningInit, 'model' | 'examples' | 'epochs' | 'round' | 'seed' | 'shape'>,
  proxyTokenizer: Tokenizer,
): (readonly [PackedBatch, PackedBatch])[] {
  const { model, examples, shape } = init
  const random = createRandom(`${init.seed}/${init.round}`)
  const forModel = encodeExamples(model.learner.model.tokenizer, examples, shape.length)
  const forProxy = encodeExamples(proxyTokenizer, examples, shape.length)
  return Array.from({ length: init.epochs }, (_, epoch) => {
    const order = random.fork(`epoch ${epoch}`).shuffle(examples.map((_, index) => index))
    return packPairs(
      order.map((index) => forModel[index]!),
      order.map((index) => forProxy[index]!),
      shape,
      shape,
    )
  }).flat()
}

type Teaching = (
  studentBatch: PackedBatch,
  teacherBatch: PackedBatch,
  said: ForwardResult,
  kdWeight: number,
) => Lesson

function createTeaching(
  student: Learner,
  teacher: Learner,
  settings: TuningSettings,
  shape: BatchShape,
): Teaching {
  const { topK } = settings
  const entries = entriesOf(topK, shape)
  const studentWidth = student.model.checkpoint.model.config.vocabularySize
  const teacherWidth = teacher.model.checkpoint.model.config.vocabularySize
  const same = student.model.tokenizer.digest === teacher.model.tokenizer.digest
  const targets = (studentBatch: PackedBatch, teacherBatch: PackedBatch, said: ForwardResult) => {
    if (same) return sameTokenizerTargets(studentBatch, said, studentWidth, entries)
    const widths = { studentWidth, teacherWidth }
    return sparseTargets(
      buildProjection(student.model.tokenizer, teacher.model.tokenizer, widths),
      { topK, tokens: said.topTokens, probabilities: said.topProbabilities },
      alignRows(studentBatch, teacherBatch),
      { rows: shape.rows, entries },
    )
  }
  return (studentBatch, teacherBatch, said, kdWeight) => ({
    targets: targets(studentBatch, teacherBatch, said),
    teacherNatsPerByte: natsPerByte(teacherBatch, said),
    kdWeight,
  })
}

/** What the programs of both partners are compiled for. */
export function teacherShape(
  { topK, temperature }: Pick<TuningSettings, 'topK' | 'temperature'>,
  shape: BatchShape,
  gate: boolean,
): TeacherShape {
  return { topK, temperature, gate, entries: entriesOf(topK, shape) }
}

function entriesOf(topK: number, shape: BatchShape): number {
  return shape.rows * topK * ENTRIES_PER_SLOT
}

/** Room for the projection's entries: most tokens of a teacher stand for a few of the student's. */
const ENTRIES_PER_SLOT = 4

function aboutSteps(
  { phase = 'saml', model }: Pick<MutualLearningInit, 'phase' | 'model'>,
  steps: number,
) {
  return { phase, model: model.learner.model.role, steps }
}
