import { createRandom } from '#base'
import type { Tensor } from '#engine'
import { createExecutor } from '#engine'
import type { Example } from '#learning/data'
import { createModel, type HfConfig, initialise } from '#learning/models'
import {
  createTokenizer,
  renderPrompt,
  type TokenizerFile,
  trainBpe,
  trainUnigram,
} from '#learning/text'
import type { Trainee } from '#learning/train'

export const executor = createExecutor('onnxruntime', { threads: 1 })

const COLOURS = {
  apple: 'red',
  grass: 'green',
  sky: 'blue',
  snow: 'white',
  lemon: 'yellow',
  coal: 'black',
  plum: 'purple',
  café: 'brown',
}

/** Eight questions that a model can only learn by heart. */
export const COLOUR_EXAMPLES: readonly Example[] = Object.entries(COLOURS).map(
  ([input, output]) => ({ id: input, instruction: 'Which colour?', input, output }),
)

const NUMBERS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine']

/** Sums of one digit, spelled: a rule that a model can learn, from enough of them. */
export const SUM_EXAMPLES: readonly Example[] = NUMBERS.flatMap((a, i) =>
  NUMBERS.map((b, j) => ({
    id: `${a} ${b}`,
    instruction: 'Add.',
    input: `${a} ${b}`,
    output: i + j < 10 ? NUMBERS[i + j]! : `ten ${NUMBERS[i + j - 10]}`,
  })),
)

const TEXTS = [...COLOUR_EXAMPLES, ...SUM_EXAMPLES].map(
  (example) => `${renderPrompt(example)}${example.output}`,
)

/** Byte-level: 256 bytes, end of sequence and some merges. */
export const bpeFile: TokenizerFile = trainBpe(TEXTS, {
  vocabularySize: 300,
  specialTokens: ['<eos>'],
  preTokenizer: 'byte-level',
})

/** Metaspace with byte fallback. */
export const unigramFile: TokenizerFile = trainUnigram(TEXTS, {
  vocabularySize: 320,
  specialTokens: ['<pad>', '</s>'],
})

export const bpe = createTokenizer(bpeFile)
export const unigram = createTokenizer(unigramFile)

/** Two layers of a Llama. */
export function tinyConfig(vocabularySize: number, width = 32): HfConfig {
  return {
    model_type: 'llama',
    vocab_size: vocabularySize,
    hidden_size: width,
    intermediate_size: 2 * width,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    max_position_embeddings: 96,
    tie_word_embeddings: true,
    eos_token_id: 0,
  }
}

/** A trainee of fresh weights whose base is trained; the tokenizer is {@link bpe}. */
/** A trainee whose weights are in memory, so that they can be written to sessions. */
export type InMemory = Trainee & { readonly weights: ReadonlyMap<string, Tensor> }

export function tinyTrainee(seed: string): InMemory {
  const model = createModel(tinyConfig(bpe.vocabularySize))
  return { model, weights: initialise(model, createRandom(seed)), base: 'trained', adapters: [] }
}
