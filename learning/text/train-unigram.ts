import { countWords } from './count-words.ts'
import { addedSpecialTokens } from './special-tokens-file.ts'
import { METASPACE } from './token-surface.ts'
import type { TokenizerFile } from './tokenizer-file.ts'
import { UnigramTrainer } from './unigram-trainer.ts'

export interface UnigramTraining {
  /** Special tokens, the unknown token, 256 byte tokens and pieces together. */
  readonly vocabularySize: number
  /** They take the first ids, in this order; `<unk>` follows. */
  readonly specialTokens: readonly string[]
  /** The share of characters that get a piece; the others are written in bytes. 0.9995 unless told. */
  readonly characterCoverage?: number
}

const UNKNOWN = '<unk>'
/** No text is spelled by a byte token: six characters in a row, each with a piece of its own, cost less. */
const BYTE_SCORE = -200

// Line ends and digits stand alone; a word takes the spaces before it.
const PARTS = /[\n0-9]|[^\n0-9]+/gu
const WORDS = /\u2581*[^\u2581]+|\u2581+/gu

/**
 * Learns a unigram vocabulary (Kudo 2018, as in SentencePiece: seeds, EM, pruning) with metaspaces and byte fallback.
 * Deterministic. Any text without U+2581 decodes to itself.
 *
 * @returns the content of a Hugging Face `tokenizer.json`
 */
export function trainUnigram(texts: Iterable<string>, training: UnigramTraining): TokenizerFile {
  const { vocabularySize, specialTokens, characterCoverage = 0.9995 } = training
  const reserved = [...specialTokens, UNKNOWN]
  const words = countWords(texts, splitWords)
  const trainer = new UnigramTrainer(words, characterCoverage)
  const pieces = trainer.train(vocabularySize - reserved.length - 256)
  const byteTokens = Array.from(
    { length: 256 },
    (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
  )
  const vocabulary: [string, number][] = [
    ...reserved.map((token): [string, number] => [token, 0]),
    ...byteTokens.map((token): [string, number] => [token, BYTE_SCORE]),
    ...pieces,
  ]
  return unigramFile(vocabulary, reserved)
}

function splitWords(text: string): string[] {
  const spelled = METASPACE + text.replaceAll(' ', METASPACE)
  return (spelled.match(PARTS) ?? []).flatMap((part) => part.match(WORDS) ?? [])
}

function unigramFile(
  vocabulary: readonly (readonly [string, number])[],
  reserved: readonly string[],
): TokenizerFile {
  const isolate = (pattern: string) => ({
    type: 'Split',
    pattern: { Regex: pattern },
    behavior: 'Isolated',
    invert: false,
  })
  return {
    version: '1.0',
    added_tokens: addedSpecialTokens(reserved),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: METASPACE },
        { type: 'Replace', pattern: { String: ' ' }, content: METASPACE },
      ],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        isolate('[\\n0-9]'),
        { type: 'Metaspace', replacement: METASPACE, prepend_scheme: 'never', split: true },
      ],
    },
    post_processor: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: METASPACE }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'Unigram',
      unk_id: reserved.length - 1,
      vocab: vocabulary,
      byte_fallback: true,
    },
  }
}
