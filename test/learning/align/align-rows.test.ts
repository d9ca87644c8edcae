import { describe, expect, test } from 'vitest'
import { alignRows, byteBoundaries } from '#learning/align'
import { encodeExample, packPairs } from '#learning/data'
import { byteLevelTokenizer, toyTexts, unigramTokenizer } from './toy-tokenizers.ts'

describe('byteBoundaries', () => {
  test('pairs the tokens that begin each group', () => {
    // ab|c|de against a|bc|d|e: both end at 3 and at 5.
    expect(byteBoundaries([2, 3, 5], [1, 3, 4, 5])).toEqual([
      [0, 0],
      [2, 2],
    ])
  })

  test('end-of-sequence, which has no width, is a group of its own', () => {
    expect(byteBoundaries([2, 5, 5], [5, 5])).toEqual([
      [0, 0],
      [2, 1],
    ])
  })

  test('drops a last group that one side does not close', () => {
    expect(byteBoundaries([2, 4], [2, 3])).toEqual([[0, 0]])
    expect(byteBoundaries([3], [1])).toEqual([])
  })

  test('a lone space before the text has no width: the row behind it counts', () => {
    expect(byteBoundaries([0, 4, 4], [4, 4])).toEqual([
      [1, 0],
      [2, 1],
    ])
  })

  test('the same ends pair every token', () => {
    const ends = [1, 4, 6, 6]
    expect(byteBoundaries(ends, ends)).toEqual(ends.map((_, i) => [i, i]))
  })
})

describe('alignRows', () => {
  const student = unigramTokenizer(300)
  const teacher = byteLevelTokenizer(290)
  const examples = toyTexts('align', 12).map((output, i) => ({
    instruction: 'Say it.',
    input: `row ${i}`,
    output,
  }))
  const shape = { batch: 2, length: 256, rows: 200, examples: 8 }

  test.each([0, 0.5])(
    'at paired rows both models have read the same text (prompt weight %d)',
    (promptWeight) => {
      const options = { maxLength: 256, promptWeight }
      const wide = { ...shape, rows: 600 }
      const batches = packPairs(
        examples.map((example) => encodeExample(student, example, options)),
        examples.map((example) => encodeExample(teacher, example, options)),
        wide,
        wide,
      )
      let pairs = 0
      for (const [s, t] of batches) {
        for (const pair of alignRows(s, t)) {
          const slot = s.rowExample[pair.student]!
          expect(t.rowExample[pair.teacher]).toBe(slot)
          const { output } = examples[s.exampleIndex[slot]!]!
          const read = [
            readBefore(s.rows[pair.student]!, s, student.decode),
            readBefore(t.rows[pair.teacher]!, t, teacher.decode),
          ]
          expect(read[0]).toBe(read[1])
          expect(output.startsWith(read[0]!.split(/= ?/)[1]!)).toBe(true)
          pairs++
        }
      }
      expect(pairs).toBeGreaterThan(30)
    },
  )

  test('with one tokenizer every row of the answer is paired', () => {
    const encoded = examples.map((example) => encodeExample(teacher, example, { maxLength: 128 }))
    for (const [s, t] of packPairs(encoded, encoded, shape, shape)) {
      const pairs = alignRows(s, t)
      const supervised = s.rowWeight.filter((weight) => weight > 0).length
      expect(pairs.length).toBe(supervised)
      expect(pairs.every((pair) => pair.student === pair.teacher)).toBe(true)
    }
  })
})

/** The text that a model has read when it predicts at this position of the grid. */
function readBefore(
  position: number,
  batch: { readonly tokens: Int32Array; readonly positions: Int32Array },
  decode: (ids: ArrayLike<number>) => string,
): string {
  const text = decode(batch.tokens.slice(position - batch.positions[position]!, position + 1))
  // The space that a tokenizer spells before an answer is none of the text.
  return text.replace(/ +/g, ' ').trimEnd()
}
