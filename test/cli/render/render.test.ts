import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PeerEvent } from '#protocols/api'
import { clean } from '../../../cli/render/clean.ts'
import { describeEvent } from '../../../cli/render/describe-event.ts'
import { StreamCleaner } from '../../../cli/render/stream-cleaner.ts'
import { renderTable } from '../../../cli/render/table.ts'
import { formatBytes, formatCount, formatDuration } from '../../../cli/render/units.ts'
import { fakeRound } from '../fake-status.ts'

describe('clean', () => {
  it.each([
    ['plain 東京 é', 'plain 東京 é'],
    ['\u001b[31mred\u001b[0m', 'red'],
    ['\u001b]0;title\u0007x', 'x'],
    ['a\nb\tc\r', 'abc'],
    ['\u202eevil\u2066', 'evil'],
    ['\u009b2J', '2J'],
  ])('%j -> %j', (text, expected) => {
    expect(clean(text)).toBe(expected)
  })
})

describe('StreamCleaner', () => {
  it('shows at once what cannot change any more', () => {
    const cleaner = new StreamCleaner('\n')
    const shown = ['a\n', 'b\u001b', '[3', '1mc', '\u0007d\u001b]0;ti', 'tle', '\u0007e', '\u001b[']
    expect(shown.map((piece) => cleaner.push(piece))).toEqual([
      'a\n',
      'b',
      '',
      'c',
      'd',
      '',
      'e',
      '',
    ])
    expect(cleaner.end()).toBe('[')
  })

  it('gives what the whole gives, wherever it was cut', () => {
    const unit = fc.constantFrom(
      '\u001b',
      '\u001b[',
      '\u001b]',
      '[',
      ']',
      ...'3;?m /x\\\u0007\n\u202e',
    )
    const pieces = fc.array(fc.string({ unit, maxLength: 6 }))
    fc.assert(
      fc.property(pieces, (given) => {
        const cleaner = new StreamCleaner('\n')
        const shown = given.map((piece) => cleaner.push(piece)).join('') + cleaner.end()
        expect(shown).toBe(clean(given.join(''), '\n'))
      }),
      { numRuns: 2_000 },
    )
  })
})

it('aligns a table by the width that a terminal shows', () => {
  const rows = [
    ['東京', '7'],
    ['a', '1234'],
  ]
  expect(renderTable(['NAME', 'COUNT'], rows, ['COUNT'])).toBe(
    'NAME  COUNT\n東京      7\na      1234',
  )
})

it('prints sizes, counts and durations for people', () => {
  expect([0, 1_023, 1_024, 1_500_000, 200_000_000].map(formatBytes)).toEqual([
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.4 MiB',
    '191 MiB',
  ])
  expect([512, 49_152, 1_400_000].map(formatCount)).toEqual(['512', '49 k', '1.4 M'])
  expect([400, 119_000, 7_000_000, 9_000_000, 200_000_000].map(formatDuration)).toEqual([
    '0 s',
    '119 s',
    '117 min',
    '3 h',
    '2 d',
  ])
})

it.each<[PeerEvent, string]>([
  [{ type: 'round', round: fakeRound() }, 'round 1/3 collecting, 1 of 2 updates'],
  [
    { type: 'round', round: fakeRound({ phase: 'aborted', reason: 'no quorum' }) },
    'round 1/3 aborted (no quorum)',
  ],
  [
    {
      type: 'progress',
      phase: 'saml',
      model: 'slm',
      round: 2,
      step: 33,
      steps: 100,
      loss: 1.2345,
      tokensPerSecond: 812.4,
    },
    'round 2 saml slm 33 %  loss 1.234  812 tokens/s',
  ],
  [
    {
      type: 'scores',
      model: 'slm',
      label: 'cotuned',
      round: null,
      scores: { em: 41.25, rougeL: 60, examples: 80, perplexityPerByte: 1.3 },
    },
    'slm cotuned: exact match 41.3, Rouge-L 60.0 on 80 examples',
  ],
  [{ type: 'version', version: 3, kept: false, reason: 'worse' }, 'version 3 not kept: worse'],
])('describes an event in one line', (event, line) => {
  expect(describeEvent(event)).toBe(line)
})
