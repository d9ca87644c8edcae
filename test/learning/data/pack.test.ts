import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type EncodedExample, type PackedBatch, packExamples, packPairs } from '#learning/data'

const shape = { batch: 3, length: 16, rows: 20, examples: 5 }

const encoded = (
  prompt: number,
  answer: number,
  seed: number,
  promptWeight = 0,
): EncodedExample => ({
  tokens: Int32Array.from({ length: prompt + answer }, (_, i) => 1 + ((seed * 31 + i * 7) % 90)),
  answerStart: prompt,
  answerEnds: Int32Array.from({ length: answer }, (_, i) => i + 1),
  answerBytes: answer,
  promptWeight,
})

const examples = fc.array(
  fc
    .tuple(
      fc.integer({ min: 1, max: 10 }),
      fc.integer({ min: 1, max: 6 }),
      fc.nat(1_000),
      fc.boolean(),
    )
    .map(([prompt, answer, seed, weighted]) => encoded(prompt, answer, seed, weighted ? 0.25 : 0)),
  { maxLength: 30 },
)

describe('packExamples', () => {
  test('nothing is lost and nothing is made up', () => {
    fc.assert(
      fc.property(examples, (list) => {
        const batches = packExamples(list, shape)
        expect(batches.flatMap(unpack)).toEqual(list.map(supervisedPairs))
        expect(batches.flatMap((batch) => batch.exampleIndex)).toEqual(list.map((_, i) => i))
      }),
    )
  })

  test('all arrays have the fixed sizes, and the unused part is zero', () => {
    fc.assert(
      fc.property(examples, (list) => {
        for (const batch of packExamples(list, shape)) {
          expect(batch.tokens.length).toBe(48)
          expect(batch.rows.length).toBe(20)
          expect(batch.exampleBytes.length).toBe(5)
          for (let i = 0; i < 48; i++) {
            if (batch.segments[i] === 0) expect(batch.tokens[i]! + batch.positions[i]!).toBe(0)
          }
          expect(batch.segments.filter((segment) => segment > 0).length).toBe(batch.tokenCount)
        }
      }),
    )
  })

  test('examples share rows', () => {
    const [batch, ...others] = packExamples(
      [encoded(4, 3, 1), encoded(5, 3, 2), encoded(3, 2, 3)],
      shape,
    )
    expect(others).toEqual([])
    expect(Array.from(batch!.segments.slice(0, 16))).toEqual([
      1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0,
    ])
  })

  test('an example that no batch can hold is refused', () => {
    expect(() => packExamples([encoded(15, 3, 1)], shape)).toThrow(
      expect.objectContaining({ code: 'DATA_EXAMPLE_TOO_LONG' }),
    )
  })
})

test('packPairs gives both models the same examples in the same slots', () => {
  const wide = { batch: 2, length: 24, rows: 40, examples: 5 }
  fc.assert(
    fc.property(examples, (list) => {
      const other = list.map((example, i) =>
        encoded(example.answerStart + 1, 1 + (example.answerBytes % 5), i),
      )
      const pairs = packPairs(list, other, shape, wide)
      for (const [a, b] of pairs) expect(a.exampleIndex).toEqual(b.exampleIndex)
      expect(pairs.flatMap(([a]) => unpack(a))).toEqual(list.map(supervisedPairs))
      expect(pairs.flatMap(([, b]) => unpack(b))).toEqual(other.map(supervisedPairs))
    }),
  )
})

/** What a model should learn of an example: the tokens read so far, the next one, its weight. */
type Supervised = readonly (readonly [read: readonly number[], next: number, weight: number])[]

function supervisedPairs({ tokens, answerStart, promptWeight }: EncodedExample): Supervised {
  return Array.from({ length: tokens.length - 1 }, (_, i) => i + 1)
    .map(
      (i) =>
        [Array.from(tokens.slice(0, i)), tokens[i]!, i >= answerStart ? 1 : promptWeight] as const,
    )
    .filter(([, , weight]) => weight > 0)
}

function unpack(batch: PackedBatch): Supervised[] {
  return batch.encoded.map((_, slot) => {
    const rows = Array.from(batch.rows.keys()).filter(
      (row) => batch.rowWeight[row]! > 0 && batch.rowExample[row] === slot,
    )
    expect(rows[0]).toBe(batch.firstRow[slot])
    return rows.map((row) => {
      const at = batch.rows[row]!
      const start = at - batch.positions[at]!
      const segment = batch.segments.slice(start, at + 1)
      expect(segment.every((id) => id === segment[0] && id > 0)).toBe(true)
      return [
        Array.from(batch.tokens.slice(start, at + 1)),
        batch.targets[row]!,
        batch.rowWeight[row]!,
      ] as const
    })
  })
}
