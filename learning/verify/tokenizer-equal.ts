import type { Tokenizer } from '#learning/text'
import type { GoldenFile } from './golden-file.ts'

/**
 * Whether a tokenizer gives the recorded ids and texts. It must read special tokens in a text, as the one that recorded
 * them did. `undefined` where nothing was recorded.
 */
export function tokenizerEqual(tokenizer: Tokenizer, golden: GoldenFile): boolean | undefined {
  const { tokenizer_cases: cases = [], text: texts = [], input_ids: prompts } = golden
  if (cases.length + texts.length === 0) return undefined
  const encode = (text: string) => [...tokenizer.encode(text).ids]
  return (
    cases.every(
      ({ text, ids, hf_ids = ids, decoded }) =>
        sameIds(encode(text), hf_ids) &&
        (decoded === undefined || tokenizer.decode(hf_ids) === decoded),
    ) && texts.every((text, b) => isWithinSpecials(encode(text), prompts[b]!))
  )
}

/** Prompts were recorded with the tokens that the model's post-processor puts around a text: at most one at each end. */
function isWithinSpecials(ids: readonly number[], prompt: readonly number[]): boolean {
  const spare = prompt.length - ids.length
  return [0, 1].some(
    (start) =>
      spare >= start && spare - start <= 1 && sameIds(ids, prompt.slice(start, start + ids.length)),
  )
}

export function sameIds(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  return a.length === b.length && Array.from(a).every((id, i) => id === b[i])
}
