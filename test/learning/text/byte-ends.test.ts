import { describe, expect, test } from 'vitest'
import { utf8 } from '#base'
import { byteEnds, type TokenSurface } from '../../../learning/text/byte-ends.ts'

function ends(text: string, tokens: readonly (string | undefined | null)[]): number[] {
  const surfaces = tokens.map(
    (token): TokenSurface =>
      token === null ? 'unknown' : token === undefined ? token : utf8(token),
  )
  return Array.from(byteEnds(surfaces, utf8(text)))
}

describe('byteEnds', () => {
  test('tokens that spell the text out: a running sum', () => {
    expect(ends('turn café', ['tu', 'rn', ' caf', 'é'])).toEqual([2, 4, 8, 10])
  })

  test('a token may end inside a code point', () => {
    const [first, second] = [utf8('é').subarray(0, 1), utf8('é').subarray(1)]
    expect(Array.from(byteEnds([first, second], utf8('é')))).toEqual([1, 2])
  })

  test('special tokens and a space put before the text have no width', () => {
    expect(ends('ab', [undefined, ' a', 'b', undefined])).toEqual([0, 1, 2, 2])
    expect(ends('ab', [' ', 'ab'])).toEqual([0, 2])
    expect(ends(' ab', [' ', ' ab'])).toEqual([0, 3])
  })

  test('an unknown token covers what its neighbours do not', () => {
    expect(ends('turn 日本 off', ['turn ', null, ' off'])).toEqual([5, 11, 15])
    expect(ends('日本', [null])).toEqual([6])
    expect(ends('日 a', [null, ' ', 'a'])).toEqual([3, 4, 5])
  })

  test('what a normalizer changed ends as a whole', () => {
    expect(ends('well… then', ['well', '...', ' then'])).toEqual([4, 7, 12])
    expect(ends('TURN it', ['turn', ' it'])).toEqual([4, 7])
    expect(ends('two   spaces on', ['two', ' sp', 'aces', ' on'])).toEqual([3, 8, 12, 15])
    expect(ends('cafe\u0301 bar', ['caf', 'é', ' bar'])).toEqual([3, 6, 10])
  })

  test('white space that is dropped at the end belongs to the last token', () => {
    expect(ends('ab cd  ', ['ab', ' cd'])).toEqual([2, 7])
  })

  test('a text that has nothing in common still ends at its end', () => {
    expect(ends('abc', ['x', 'y'])).toEqual([3, 3])
    expect(ends('', [])).toEqual([])
    expect(ends('', [' '])).toEqual([0])
  })
})
