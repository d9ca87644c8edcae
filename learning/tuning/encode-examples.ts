import { type EncodedExample, type Example, encodeExample } from '#learning/data'
import type { Tokenizer } from '#learning/text'

/** Cut to rows of `length` tokens, and one more: the last of a row predicts it. */
export function encodeExamples(
  tokenizer: Tokenizer,
  examples: readonly Example[],
  length: number,
): readonly EncodedExample[] {
  return examples.map((example) => encodeExample(tokenizer, example, { maxLength: length + 1 }))
}
