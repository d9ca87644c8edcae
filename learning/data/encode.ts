import { utf8 } from '#base'
import { renderPrompt, type Tokenizer } from '#learning/text'
import type { Example } from './example.ts'

/** A sequence of tokens of which some are learnt. */
export interface EncodedExample {
  /** Prompt, answer and the end-of-sequence token. */
  readonly tokens: Int32Array
  /** Where the answer begins in `tokens`, at least 1: what comes before is read, what comes from here on is learnt. */
  readonly answerStart: number
  /** UTF-8 end byte, in the answer, of each token from `answerStart` on; the end-of-sequence token has zero width. */
  readonly answerEnds: Int32Array
  /** UTF-8 bytes of the answer, of what is left of it where it was cut. */
  readonly answerBytes: number
  /** Weight of the prompt's own tokens in the loss, 0 unless a model is trained from scratch. */
  readonly promptWeight: number
}

export interface EncodeOptions {
  /** Longest sequence in tokens, the end included. A longer prompt loses its beginning, a longer answer its end. */
  readonly maxLength: number
  readonly promptWeight?: number
}

/** Tokenises prompt and answer apart, so that the boundary is the same byte for every tokenizer. */
export function encodeExample(
  tokenizer: Tokenizer,
  example: Pick<Example, 'instruction' | 'input' | 'output'>,
  options: EncodeOptions,
): EncodedExample {
  const prompt = tokenizer.encode(renderPrompt(example)).ids
  const answer = tokenizer.encode(example.output)
  const whole = [...answer.ids, tokenizer.eosId].slice(0, options.maxLength - 1)
  const kept = prompt.subarray(Math.max(0, prompt.length - (options.maxLength - whole.length)))
  const utf8Length = utf8(example.output).length
  const answerEnds = Int32Array.from(whole, (_, i) => answer.ends[i] ?? utf8Length)
  return {
    tokens: Int32Array.from([...kept, ...whole]),
    answerStart: kept.length,
    answerEnds,
    answerBytes: answerEnds.at(-1) ?? 0,
    promptWeight: options.promptWeight ?? 0,
  }
}

/** Cuts running text into sequences of at most `maxLength` tokens that are learnt wholly. */
export function encodeText(
  tokenizer: Tokenizer,
  text: string,
  maxLength: number,
): EncodedExample[] {
  const { ids, ends } = tokenizer.encode(text)
  const sequences: EncodedExample[] = []
  for (let start = 0; start + 1 < ids.length; start += maxLength - 1) {
    const tokens = ids.slice(start, start + maxLength)
    const offset = ends[start] ?? 0
    const answerEnds = ends.slice(start + 1, start + tokens.length).map((end) => end - offset)
    sequences.push({
      tokens,
      answerStart: 1,
      answerEnds,
      answerBytes: answerEnds.at(-1) ?? 0,
      promptWeight: 0,
    })
  }
  return sequences
}
