import fc from 'fast-check'
import { expect, test } from 'vitest'
import { UnigramSegmenter } from '../../../learning/text/unigram-segmenter.ts'

const pieces = fc.uniqueArray(
  fc.string({ unit: fc.constantFrom('a', 'b', '🙂'), minLength: 1, maxLength: 4 }),
  {
    minLength: 1,
    maxLength: 12,
  },
)

test('the spelling has the best score of all spellings', () => {
  fc.assert(
    fc.property(
      pieces,
      fc.array(fc.integer({ min: -20, max: -1 }), { minLength: 12, maxLength: 12 }),
      fc.string({ unit: fc.constantFrom('a', 'b', '🙂'), maxLength: 7 }),
      (vocabulary, scores, text) => {
        const used = scores.slice(0, vocabulary.length)
        const unknown = Math.min(...used) - 10
        const segments = new UnigramSegmenter(vocabulary, used).segment(text)
        let start = 0
        let score = 0
        for (const { piece, end } of segments) {
          const part = text.slice(start, end)
          if (piece >= 0) expect(vocabulary[piece]).toBe(part)
          score += piece >= 0 ? used[piece]! : unknown
          start = end
        }
        expect(start).toBe(text.length)
        expect(score).toBe(bestScore(text, vocabulary, used, unknown))
      },
    ),
  )
})

/** Tries every spelling; a single character that is no piece may stand as unknown. */
function bestScore(
  text: string,
  vocabulary: readonly string[],
  scores: readonly number[],
  unknown: number,
): number {
  if (text === '') return 0
  const first = String.fromCodePoint(text.codePointAt(0)!)
  const options = vocabulary.flatMap((piece, i) =>
    text.startsWith(piece)
      ? [scores[i]! + bestScore(text.slice(piece.length), vocabulary, scores, unknown)]
      : [],
  )
  if (!vocabulary.includes(first)) {
    options.push(unknown + bestScore(text.slice(first.length), vocabulary, scores, unknown))
  }
  return Math.max(...options)
}
