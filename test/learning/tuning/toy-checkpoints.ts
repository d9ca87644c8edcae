import { join } from 'node:path'
import { createRandom } from '#base'
import { type Example, encodeExample, packExamples } from '#learning/data'
import { createModel, initialise, saveCheckpoint } from '#learning/models'
import type { Tokenizer, TokenizerFile } from '#learning/text'
import { TrainStep } from '#learning/train'
import { bpe, bpeFile, executor, tinyConfig, unigram, unigramFile } from '../train/toy-models.ts'

/** Settings that make a round of a toy model take a moment. */
export const TOY_SETTINGS = {
  rank: 4,
  alpha: 8,
  batch: 4,
  length: 48,
  dstEpochs: 1,
  samlEpochs: 2,
  cloudExamples: 8,
  topK: 8,
  slmLearningRate: 5e-3,
  dpmLearningRate: 5e-3,
} as const

interface Toy {
  readonly tokenizer: Tokenizer
  readonly file: TokenizerFile
  readonly width: number
}

/** A small model with a tokenizer of its own; proxy and large model share theirs. */
const TOYS = {
  slm: { tokenizer: unigram, file: unigramFile, width: 24 },
  dpm: { tokenizer: bpe, file: bpeFile, width: 32 },
  llm: { tokenizer: bpe, file: bpeFile, width: 32 },
} as const satisfies Readonly<Record<string, Toy>>

export type ToyName = keyof typeof TOYS

/**
 * Saves a tiny checkpoint.
 *
 * @param learnt rows that it has read so many times before
 * @returns its folder
 */
export async function saveToy(
  parent: string,
  name: ToyName,
  learnt:
    | { readonly examples: readonly Example[]; readonly epochs: number }
    | undefined = undefined,
): Promise<string> {
  const { tokenizer, file, width } = TOYS[name]
  const config = { ...tinyConfig(tokenizer.vocabularySize, width), eos_token_id: tokenizer.eosId }
  const model = createModel(config)
  let weights = initialise(model, createRandom(name))
  if (learnt) {
    const shape = { batch: 4, length: 64, rows: 128, examples: 24 }
    const step = await TrainStep.create({
      trainee: { model, weights, base: 'trained', adapters: [] },
      executor,
      shape,
    })
    await step.write(weights)
    const random = createRandom(`order ${name}`)
    const encoded = learnt.examples.map((example) =>
      encodeExample(tokenizer, example, { maxLength: 64 }),
    )
    for (let epoch = 0; epoch < learnt.epochs; epoch++) {
      const rate = 1e-2 * (1 - (0.9 * epoch) / learnt.epochs)
      for (const batch of packExamples(random.shuffle(encoded), shape)) await step.run(batch, rate)
    }
    weights = new Map([...weights, ...(await step.read())])
    await step.close()
  }
  const folder = join(parent, name)
  await saveCheckpoint(folder, { model, weights, tokenizer: file })
  return folder
}
