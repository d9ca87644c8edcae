import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AnswerText } from '../../../learning/generate/answer-text.ts'

/** Each id is a byte; a decoder of UTF-8 as those of byte-level tokenizers. */
const bytes = { decode: (ids: ArrayLike<number>) => Buffer.from(Array.from(ids)).toString('utf8') }

/** Words whose space belongs to the next one, and falls away at the start: as SentencePiece has it. */
const WORDS = ['▁a', 'b', '▁ab', 'ba', '▁', 'a']
const words = {
  decode: (ids: ArrayLike<number>) =>
    Array.from(ids, (id) => WORDS[id]!)
      .join('')
      .replaceAll('▁', ' ')
      .replace(/^ /, ''),
}

function stream(tokenizer: typeof bytes, ids: readonly number[], stops: readonly string[]) {
  const answer = new AnswerText(tokenizer, stops)
  const shown: string[] = []
  for (const id of ids) {
    shown.push(answer.push(id))
    for (const stop of stops) expect(shown.join('')).not.toContain(stop)
    if (answer.stopped) break
  }
  shown.push(answer.end())
  expect(shown.join('')).toBe(answer.text)
  return answer
}

/** The text before the first stop string. */
function cut(text: string, stops: readonly string[]): string {
  const found = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0)
  return text.slice(0, Math.min(text.length, ...found))
}

describe('an answer as it streams', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '€', '🙂', '\n'), maxLength: 25 })
  const stops = fc.array(
    fc.string({ unit: fc.constantFrom('a', 'b', '€'), minLength: 1, maxLength: 4 }),
    { maxLength: 3 },
  )

  it('is the text up to the first stop string, which is never shown in part', () => {
    fc.assert(
      fc.property(text, stops, (whole, stop) => {
        const answer = stream(bytes, [...Buffer.from(whole)], stop)
        const expected = cut(whole, stop)
        expect(answer.text).toBe(expected)
        expect(answer.stopped).toBe(expected.length < whole.length)
      }),
      { seed: 5, numRuns: 500 },
    )
  })

  it('is the text of all tokens where spaces belong to the next one', () => {
    const ids = fc.array(fc.integer({ min: 0, max: WORDS.length - 1 }), { maxLength: 20 })
    fc.assert(
      fc.property(ids, (all) => {
        expect(stream(words, all, []).text).toBe(words.decode(all))
      }),
      { seed: 6, numRuns: 300 },
    )
  })

  it('shows a character once its bytes are there, and what may be a stop string once it is not', () => {
    const answer = new AnswerText(bytes, ['end'])
    const shown = [...Buffer.from('x€en.')].map((byte) => answer.push(byte))
    expect(shown).toEqual(['x', '', '', '€', '', '', 'en.'])
    expect(answer.end()).toBe('')
  })

  it('ends with what was held back', () => {
    const answer = new AnswerText(bytes, ['end'])
    for (const byte of Buffer.from('the en')) answer.push(byte)
    expect(answer.text).toBe('the ')
    expect(answer.end()).toBe('en')
    expect(answer.stopped).toBe(false)
  })
})
