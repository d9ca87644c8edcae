import type { Example } from '#learning/data'
import { renderPrompt, type TokenizerFile, trainBpe, trainUnigram } from '#learning/text'
import type { Corpus } from './corpus.ts'
import type { TokenizerRecipe } from './recipe.ts'

export const END_OF_TEXT = '<|endoftext|>'
export const PADDING = '<|pad|>'

/** Characters of prose that a tokenizer is trained on beside the rows. */
const PROSE_CHARACTERS = 1_500_000

/** Trains the tokenizer of a recipe on the text that its model will read. */
export function trainTokenizer(recipe: TokenizerRecipe, corpus: Corpus): TokenizerFile {
  const rows = recipe.name === 'cloud' ? corpus.cloudRows : corpus.smallModelRows
  const texts = [...proseOf(corpus, recipe.name), ...rows.map(textOf)]
  const specialTokens = [END_OF_TEXT, PADDING]
  const { vocabularySize } = recipe
  return recipe.kind === 'bpe'
    ? trainBpe(texts, { vocabularySize, specialTokens, preTokenizer: 'byte-level' })
    : trainUnigram(texts, { vocabularySize, specialTokens })
}

function textOf(row: Example): string {
  return `${renderPrompt(row)}${row.output}`
}

/** Each tokenizer reads another part of the prose, so that no two are cut alike. */
function proseOf(corpus: Corpus, name: string): string[] {
  const start = { cloud: 0, 'slm-gpt2': 1, 'slm-llama': 2, 'slm-qwen2': 3 }[name] ?? 0
  const texts: string[] = []
  let characters = 0
  for (let i = start; i < corpus.prose.length && characters < PROSE_CHARACTERS; i += 4) {
    texts.push(corpus.prose[i]!)
    characters += corpus.prose[i]!.length
  }
  return texts
}
