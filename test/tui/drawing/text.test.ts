import fc from 'fast-check'
import stringWidth from 'string-width'
import { describe, expect, it } from 'vitest'
import { asciiOnly, fitText, sanitise, sanitiseDeep, wrap } from '../../../tui/drawing/text.ts'

describe('sanitise', () => {
  it('drops escape sequences with their payload', () => {
    expect(sanitise('a\u001b[31mb\u001b[0m')).toBe('ab')
    expect(sanitise('\u001b]52;c;c2VjcmV0\u0007name')).toBe('name')
    expect(sanitise('\u001b]0;title\u001b\\name')).toBe('name')
    expect(sanitise('x\u009b2Jy')).toBe('xy')
    expect(sanitise('\u001b[2J\u001b[H\u001bcname')).toBe('name')
  })

  it('drops what reorders or hides text', () => {
    expect(sanitise('user\u202egnp.exe')).toBe('usergnp.exe')
    expect(sanitise('\u2066a\u2069\u200b\u200db\ufeff')).toBe('ab')
    expect(sanitise('\u26a0\ufe0f')).toBe('\u26a0')
    expect(sanitise('tag\u{e0041}')).toBe('tag')
  })

  it('makes one line of several', () => {
    expect(sanitise('a\r\nb\tc\nd')).toBe('a b c d')
  })

  it('leaves no control character of any input', () => {
    fc.assert(
      fc.property(fc.uint16Array(), (units) => {
        const text = String.fromCharCode(...units)
        expect(sanitise(text)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/)
      }),
    )
  })

  it('reaches every string of a value and keeps the rest', () => {
    const value = { name: 'a\u001b[1mb', list: [{ text: '\u0007' }], count: 3, none: null }
    expect(sanitiseDeep(value)).toEqual({ name: 'ab', list: [{ text: '' }], count: 3, none: null })
  })
})

describe('fitText', () => {
  it('cuts and pads by terminal cells', () => {
    expect(fitText('東京-jetson', 7)).toBe('東京-j…')
    expect(fitText('東京', 3)).toBe('東…')
    expect(fitText('ab', 4, 'right')).toBe('  ab')
    expect(fitText('abc', 0)).toBe('')
  })

  it('always fills its width exactly', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        fc.integer({ min: 1, max: 30 }),
        (text, width) => {
          expect(stringWidth(fitText(sanitise(text), width))).toBe(width)
        },
      ),
    )
  })
})

it('asciiOnly keeps the width', () => {
  expect(asciiOnly('東京 ●x')).toBe('???? ?x')
})

it('wrap breaks at spaces and cuts what is too long for a line', () => {
  expect(wrap('one two three', 7)).toEqual(['one two', 'three'])
  expect(wrap('abcdefghij k', 5)).toEqual(['abcd…', 'k'])
})
