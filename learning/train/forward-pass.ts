import {
  createProgram,
  type Executor,
  gatherLast,
  multiply,
  type Node,
  reshape,
  type Session,
  scalar,
  softmax,
  type Tensor,
  topKIndices,
} from '#engine'
import type { PackedBatch } from '#learning/data'
import {
  type BatchShape,
  batchFeeds,
  batchInputs,
  rowLogits,
  runWith,
  writeKnown,
} from './batch-inputs.ts'
import { denseCrossEntropy, rowCrossEntropy, sumBySlot } from './losses.ts'
import { type Trainee, traineeScope } from './trainee.ts'

export interface ForwardPassInit {
  readonly trainee: Trainee
  readonly executor: Executor
  readonly shape: BatchShape
  /** The most probable tokens of each row, at this temperature; none unless told. */
  readonly teacher?: { readonly topK: number; readonly temperature: number }
}

export interface ForwardResult {
  /** `[X]`: nats of each example's supervised tokens, added up. */
  readonly exampleNats: Float32Array
  /** `[M, K]` token ids; empty without `teacher`. */
  readonly topTokens: Int32Array
  /** `[M, K]` probabilities at the temperature; empty without `teacher`. */
  readonly topProbabilities: Float32Array
}

/** Reads batches without learning from them: an example's loss, and what a teacher thinks of each row. */
export class ForwardPass {
  readonly shape: BatchShape
  readonly #session: Session

  private constructor(session: Session, shape: BatchShape) {
    this.#session = session
    this.shape = shape
  }

  static async create(init: ForwardPassInit): Promise<ForwardPass> {
    const { trainee, executor, shape, teacher } = init
    const inputs = batchInputs(shape)
    const { scope } = traineeScope(trainee)
    const logits = rowLogits(trainee.model, inputs, scope)
    const nats = (teacher ? denseCrossEntropy : rowCrossEntropy)(logits, inputs.targets)
    const nll = multiply(nats, inputs.rowWeight)
    const outputs: Record<string, Node> = {
      exampleNats: sumBySlot(nll, inputs.rowExample, shape.examples),
    }
    if (teacher) {
      const probabilities = softmax(multiply(logits, scalar(1 / teacher.temperature)))
      const topTokens = topKIndices(probabilities, teacher.topK)
      outputs.topTokens = topTokens
      outputs.topProbabilities = reshape(gatherLast(probabilities, topTokens), topTokens.shape)
    }
    const program = createProgram({ outputs })
    const session = await executor.compile(program, { weights: trainee.weights, prepack: false })
    return new ForwardPass(session, shape)
  }

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
