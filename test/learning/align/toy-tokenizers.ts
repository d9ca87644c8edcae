import { createRandom } from '#base'
import { createTokenizer, type Tokenizer, trainBpe, trainUnigram } from '#learning/text'

const words = 'turn on the lamp lamps light off in kitchen café please switch 12 oven —'.split(' ')

export function toyTexts(seed: string, count: number): string[] {
  const random = createRandom(seed)
  return Array.from({ length: count }, () =>
    Array.from({ length: 1 + random.integer(8) }, () => random.pick(words)).join(' '),
  )
}

/** Byte-level, puts no space before a text. */
export function byteLevelTokenizer(vocabularySize: number): Tokenizer {
  const texts = toyTexts(`bpe ${vocabularySize}`, 150)
  const file = trainBpe(texts, {
    vocabularySize,
    specialTokens: ['<eos>'],
    preTokenizer: 'byte-level',
  })
  return createTokenizer(file)
}

/** Metaspace with byte fallback, puts a space before a text. */
export function unigramTokenizer(vocabularySize: number): Tokenizer {
  const texts = toyTexts(`unigram ${vocabularySize}`, 150)
  return createTokenizer(trainUnigram(texts, { vocabularySize, specialTokens: ['<pad>', '</s>'] }))
}
