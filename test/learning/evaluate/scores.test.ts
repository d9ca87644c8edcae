import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { packagePath } from '#base'
import { exactMatch, rougeL, scorePredictions } from '#learning/evaluate'
import { stem } from '../../../learning/evaluate/porter-stemmer.ts'

describe('exactMatch', () => {
  test.each([
    ['Edit personal details.', 'edit  personal details', true],
    ["don't", 'dont', true],
    ['3.5', '35', true],
    ['two words', 'twowords', false],
    ['café', 'cafe', false],
    ['', '...', true],
  ])('%j and %j: %s', (prediction, reference, expected) => {
    expect(exactMatch(prediction, reference)).toBe(expected)
  })
})

/** From nltk 3.10, PorterStemmer().stem, where it and the original algorithm differ, and the usual ones. */
const stems = {
  dying: 'die',
  spied: 'spi',
  died: 'die',
  dies: 'die',
  flies: 'fli',
  enjoys: 'enjoy',
  happy: 'happi',
  skies: 'sky',
  gracefully: 'grace',
  generalizations: 'gener',
  oscillators: 'oscil',
  archaeology: 'archaeolog',
  agreed: 'agre',
  plastered: 'plaster',
  hopping: 'hop',
  falling: 'fall',
  filing: 'file',
  controlled: 'control',
  relational: 'relat',
  hopefulness: 'hope',
  electriciti: 'electr',
  adjustment: 'adjust',
  adoption: 'adopt',
  probate: 'probat',
  rate: 'rate',
  cease: 'ceas',
  roll: 'roll',
  news: 'news',
  succeed: 'succeed',
  traditionally: 'tradit',
  ring: 'ring',
  using: 'use',
  aging: 'age',
  yes: 'ye',
  by: 'by',
} as const

test.each(Object.entries(stems))('the stem of %s is %s', (word, expected) => {
  expect(stem(word)).toBe(expected)
})

describe('rougeL', () => {
  test('is the F1 of the longest common subsequence', () => {
    expect(rougeL('the cat sat', 'the dog sat down')).toBeCloseTo((2 * 2) / 7, 12)
    expect(rougeL('running', 'runs')).toBe(1)
    expect(rougeL('', 'words')).toBe(0)
    expect(rougeL('...', '')).toBe(0)
  })

  const fixture = packagePath('..', 'shared', 'fixtures', 'rouge', 'rouge-l-stemmed.json')

  test.skipIf(!existsSync(fixture))('equals the reference scores to 1e-6 (needs ../shared)', () => {
    const cases: { prediction: string; reference: string; rougeL: number }[] = JSON.parse(
      readFileSync(fixture, 'utf8'),
    )
    expect(cases.length).toBeGreaterThan(100)
    for (const { prediction, reference, rougeL: expected } of cases) {
      expect(Math.abs(rougeL(prediction, reference) - expected)).toBeLessThan(1e-6)
    }
  })
})

describe('scorePredictions', () => {
  test('takes the best reference of each, and means in per cent', () => {
    const examples = [
      { output: 'light kitchen on' },
      { output: 'no', references: ['no', 'not at all'] },
    ]
    expect(scorePredictions(examples, ['light hall on', 'Not at all!'])).toEqual({
      em: 50,
      rougeL: (100 * (2 / 3 + 1)) / 2,
    })
  })

  test('refuses lists of different lengths', () => {
    expect(() => scorePredictions([{ output: 'a' }], [])).toThrow(
      expect.objectContaining({ code: 'EVALUATE_COUNT' }),
    )
  })
})
