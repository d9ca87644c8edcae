import { CotuneError, EXIT } from '#base'
import {
  createProgram,
  type Executor,
  exp,
  gatherLast,
  multiply,
  type Node,
  type Program,
  reshape,
  type Session,
  type Tensor,
  topKIndices,
  writeKnown,
} from '#engine'
import type { PackedBatch } from '#learning/data'
import { type BatchShape, batchFeeds, batchInputs, rowLogits, runWith } from './batch-inputs.ts'
import { chosenCrossEntropy, logProbabilities, rowCrossEntropy, sumBySlot } from './losses.ts'
import { type Trainee, traineeScope } from './trainee.ts'

export interface ForwardProgramInit {
  readonly trainee: Trainee
  readonly shape: BatchShape
  /** The most probable tokens of each row, at this temperature; none unless told. */
  readonly teacher?: { readonly topK: number; readonly temperature: number }
}

export interface ForwardPassInit extends ForwardProgramInit {
  readonly executor: Executor
}

export interface ForwardResult {
  /** `[X]`: nats of each example's supervised tokens, added up. */
  readonly exampleNats: Float32Array
  /** `[M, K]` token ids; empty without `teacher`. */
  readonly topTokens: Int32Array
  /** `[M, K]` probabilities at the temperature; empty without `teacher`. */
  readonly topProbabilities: Float32Array
}

/**
 * What a {@link ForwardPass} runs.
 *
 * @throws CotuneError TUNING_SETTINGS_INVALID if a teacher shall say more tokens than it knows
 */
export function forwardProgram({ trainee, shape, teacher }: ForwardProgramInit): Program {
  const inputs = batchInputs(shape)
  const { scope } = traineeScope(trainee)
  const logits = rowLogits(trainee.model, inputs, scope)
  const inTotal = (nats: Node): Node =>
    sumBySlot(multiply(nats, inputs.rowWeight), inputs.rowExample, shape.examples)
  if (!teacher) {
    const exampleNats = inTotal(rowCrossEntropy(logits, inputs.targets))
    return createProgram({ outputs: { exampleNats } })
  }
  const { topK, temperature } = teacher
  const { vocabularySize } = trainee.model.config
  if (topK > vocabularySize) throw tooFewTokens(topK, vocabularySize)
  const plain = logProbabilities(logits, 1)
  const tempered = temperature === 1 ? plain : logProbabilities(logits, temperature)
  const topTokens = topKIndices(tempered, topK)
  const topProbabilities = exp(reshape(gatherLast(tempered, topTokens), topTokens.shape))
  const exampleNats = inTotal(chosenCrossEntropy(plain, inputs.targets))
  return createProgram({ outputs: { exampleNats, topTokens, topProbabilities } })
}

function tooFewTokens(topK: number, vocabularySize: number): CotuneError {
  return new CotuneError(
    'TUNING_SETTINGS_INVALID',
    `topK ${topK} is more than the ${vocabularySize} tokens of a model's vocabulary`,
    {
      hint: `Lower tuning.topK (--top-k) to ${vocabularySize} or less.`,
      data: { topK, vocabularySize },
      exit: EXIT.config,
    },
  )
}

/** Reads batches without learning from them: an example's loss, and what a teacher thinks of each row. */
export class ForwardPass {
  readonly shape: BatchShape
  readonly #session: Session

  private constructor(session: Session, shape: BatchShape) {
    this.#session = session
    this.shape = shape
  }

  /** @throws ENGINE_MISSING_WEIGHT, ENGINE_WRONG_TENSOR, ENGINE_COMPILE_FAILED */
  static async create(init: ForwardPassInit): Promise<ForwardPass> {
    const { trainee, executor, shape } = init
    const program = forwardProgram(init)
    const session = await executor.compile(program, { weights: trainee.weights, prepack: false })
    return new ForwardPass(session, shape)
  }

  /** @param batch packed for the pass's shape */
  async run(batch: PackedBatch): Promise<ForwardResult> {
    const result = await runWith(this.#session, batchFeeds(batch, this.shape))
    return {
      exampleNats: result.exampleNats!.data as Float32Array,
      topTokens: (result.topTokens?.data ?? new Int32Array()) as Int32Array,
      topProbabilities: (result.topProbabilities?.data ?? new Float32Array()) as Float32Array,
    }
  }

  /** Sets live parameters and adapters; names that this pass does not hold are passed over. */
  async write(values: ReadonlyMap<string, Tensor>): Promise<void> {
    await writeKnown(this.#session, values)
  }

  async close(): Promise<void> {
    await this.#session.close()
  }
}
