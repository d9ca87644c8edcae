import { BYTE_ALPHABET } from './byte-alphabet.ts'
import { countWords } from './count-words.ts'
import { MergeQueue } from './merge-queue.ts'
import { addedSpecialTokens } from './special-tokens-file.ts'
import type { TokenizerFile } from './tokenizer-file.ts'

export interface BpeTraining {
  /** Special tokens, the 256 bytes and merged tokens together. */
  readonly vocabularySize: number
  /** They take the first ids, in this order. */
  readonly specialTokens: readonly string[]
  readonly preTokenizer: 'byte-level'
}

const MIN_PAIR_COUNT = 2

// Digits one by one, then GPT-2's words. The trainer counts words by the same two rules as the components below.
const DIGITS = /[0-9]|[^0-9]+/gu
const WORDS = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu

/**
 * Learns byte-level byte pair encoding (Sennrich et al. 2016; GPT-2's words, digits apart) from texts. Deterministic: the
 * most frequent pair first, of equals the one with the smaller ids. Ends early where no pair is seen twice.
 *
 * @returns the content of a Hugging Face `tokenizer.json`
 */
export function trainBpe(texts: Iterable<string>, training: BpeTraining): TokenizerFile {
  const { vocabularySize, specialTokens } = training
  const counts = countWords(texts, splitWords)
  const tokens = [...specialTokens, ...BYTE_ALPHABET]
  const firstByte = specialTokens.length
  const encoder = new TextEncoder()
  const words = Array.from(counts.keys(), (word) =>
    Array.from(encoder.encode(word), (byte) => firstByte + byte),
  )
  const queue = new MergeQueue(words, [...counts.values()])
  const merges: [string, string][] = []
  while (tokens.length < vocabularySize) {
    const best = queue.best()
    if (best === undefined || best.count < MIN_PAIR_COUNT) break
    merges.push([tokens[best.left]!, tokens[best.right]!])
    queue.merge(best.left, best.right, tokens.length)
    tokens.push(tokens[best.left]! + tokens[best.right]!)
  }
  return bpeFile(tokens, merges, specialTokens)
}

function splitWords(text: string): string[] {
  return (text.match(DIGITS) ?? []).flatMap((part) => part.match(WORDS) ?? [])
}

function bpeFile(
  tokens: readonly string[],
  merges: readonly [string, string][],
  specialTokens: readonly string[],
): TokenizerFile {
  const byteLevel = {
    type: 'ByteLevel',
    add_prefix_space: false,
    trim_offsets: true,
    use_regex: true,
  }
  return {
    version: '1.0',
    added_tokens: addedSpecialTokens(specialTokens),
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: '[0-9]' }, behavior: 'Isolated', invert: false },
        byteLevel,
      ],
    },
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  }
}
