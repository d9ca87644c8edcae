import type { AddedTokenFile } from './tokenizer-file.ts'

/** Special tokens with the ids 0, 1, ... in the form of `added_tokens`. */
export function addedSpecialTokens(specialTokens: readonly string[]): AddedTokenFile[] {
  return specialTokens.map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }))
}
