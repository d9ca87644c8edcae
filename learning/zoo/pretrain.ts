import type { Random } from '#base'
import type { Executor, Tensor } from '#engine'
import {
  type EncodedExample,
  type Example,
  encodeExample,
  encodeText,
  type PackedBatch,
  packExamples,
} from '#learning/data'
import { type CausalModel, initialise } from '#learning/models'
import type { Tokenizer } from '#learning/text'
import { type BatchShape, linearSchedule, TrainStep } from '#learning/train'
import type { Corpus } from './corpus.ts'
import { LENGTH, type ModelRecipe } from './recipe.ts'

/** All positions are supervised when a model is made from scratch: prompts too, at a lower weight. */
export const PRETRAINING_SHAPE: BatchShape = {
  batch: 24,
  length: LENGTH,
  rows: 24 * LENGTH,
  examples: 256,
}

const PROMPT_WEIGHT = 0.3

export interface PretrainInit {
  readonly recipe: ModelRecipe
  readonly model: CausalModel
  readonly tokenizer: Tokenizer
  readonly rows: readonly Example[]
  readonly corpus: Corpus
  readonly executor: Executor
  readonly random: Random
  readonly onStep: OnStep
}

export type OnStep = (done: number, total: number, loss: number, tokens: number) => void

/** Trains every parameter from scratch on prose and instruction rows. */
export async function pretrain(init: PretrainInit): Promise<ReadonlyMap<string, Tensor>> {
  const { recipe, model, executor, random, onStep } = init
  const step = await TrainStep.create({
    trainee: { model, weights: new Map(), base: 'trained', adapters: [] },
    executor,
    shape: PRETRAINING_SHAPE,
    weightDecay: 0.05,
  })
  await step.write(initialise(model, random.fork('initialise')))
  const batches = pretrainingBatches(init)
  const schedule = linearSchedule(batches.length, Math.min(200, batches.length / 10), 0.02)
  for (const [index, batch] of batches.entries()) {
    const result = await step.run(batch, recipe.learningRate * schedule(index))
    onStep(index + 1, batches.length, result.crossEntropy, batch.tokenCount)
  }
  const weights = await step.read()
  await step.close()
  return weights
}

/** Prose comes early, rows throughout: each epoch is shuffled apart. */
export function pretrainingBatches(
  init: Pick<PretrainInit, 'recipe' | 'tokenizer' | 'rows' | 'corpus' | 'random'>,
): PackedBatch[] {
  const { recipe, tokenizer, rows, corpus, random } = init
  const options = { maxLength: LENGTH + 1, promptWeight: PROMPT_WEIGHT }
  const encoded = rows.map((row) => encodeExample(tokenizer, row, options))
  const prose = encodeProse(tokenizer, corpus.prose, recipe.proseTokens, random.fork('prose'))
  const batches: PackedBatch[] = []
  for (let epoch = 0; epoch < recipe.epochs; epoch++) {
    const share = epoch === 0 ? prose.slice(prose.length / 2) : []
    const order = random.fork(`epoch ${epoch}`).shuffle([...encoded, ...share])
    if (epoch === 0)
      batches.push(...packExamples(prose.slice(0, prose.length / 2), PRETRAINING_SHAPE))
    batches.push(...packExamples(order, PRETRAINING_SHAPE))
  }
  return batches
}

function encodeProse(
  tokenizer: Tokenizer,
  paragraphs: readonly string[],
  tokens: number,
  random: Random,
): EncodedExample[] {
  const sequences: EncodedExample[] = []
  let count = 0
  for (const paragraph of random.shuffle(paragraphs)) {
    if (count >= tokens) break
    for (const sequence of encodeText(tokenizer, paragraph, LENGTH + 1)) {
      sequences.push(sequence)
      count += sequence.tokens.length
    }
  }
  return sequences
}
