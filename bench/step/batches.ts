import { readFile } from 'node:fs/promises'
import { type EncodedExample, encodeText, type PackedBatch, packExamples } from '#learning/data'
import { createTokenizer, type Tokenizer, trainBpe } from '#learning/text'
import type { BatchShape } from '#learning/train'

/** Every position is supervised: as many rows of the head as there are tokens. */
export function batchShape(spec: { readonly batch: number; readonly length: number }): BatchShape {
  return { ...spec, rows: spec.batch * spec.length, examples: spec.batch }
}

/** The token at a position of the made-up batch; the peers count alike. */
export function madeUpToken(position: number, vocabulary: number): number {
  return (position * 7_919) % vocabulary
}

/** One batch of made-up tokens: a sequence fills each row, and each token is to be predicted by the one before it. */
export function madeUpBatch(shape: BatchShape, vocabulary: number): PackedBatch {
  const sequences = Array.from({ length: shape.batch }, (_, row): EncodedExample => {
    const first = row * shape.length
    return {
      tokens: Int32Array.from({ length: shape.length + 1 }, (_, i) =>
        madeUpToken(first + i, vocabulary),
      ),
      answerStart: 1,
      answerEnds: Int32Array.from({ length: shape.length }, (_, i) => i + 1),
      answerBytes: shape.length,
      promptWeight: 0,
    }
  })
  return packExamples(sequences, shape)[0]!
}

const END_OF_TEXT = '<|endoftext|>'
const LEARNT_TOKENS = 8_192

/**
 * A text in batches, each row filled with running text. A model without a tokenizer gets one trained on the same text.
 */
export async function textBatches(
  files: readonly string[],
  shape: BatchShape,
  vocabulary: number,
  tokenizer?: Tokenizer,
): Promise<readonly PackedBatch[]> {
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')))
  const text = texts.join('\n')
  const encoder = tokenizer ?? learnTokenizer(text, vocabulary)
  const sequences = encodeText(encoder, text, shape.length + 1)
  return packExamples(sequences.slice(0, -1), shape)
}

function learnTokenizer(text: string, vocabulary: number): Tokenizer {
  const file = trainBpe([text], {
    vocabularySize: Math.min(vocabulary, LEARNT_TOKENS),
    specialTokens: [END_OF_TEXT],
    preTokenizer: 'byte-level',
  })
  return createTokenizer(file, { config: { eos_token: END_OF_TEXT } })
}
