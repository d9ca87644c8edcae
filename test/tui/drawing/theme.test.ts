import { expect, it } from 'vitest'
import { createTheme, themeOf } from '../../../tui/drawing/theme.ts'

const utf8 = { LANG: 'C.UTF-8', TERM: 'xterm-256color' }

it('takes colour from the choice, then NO_COLOR, then FORCE_COLOR', () => {
  expect(themeOf(utf8).palette).toBe('colour')
  expect(themeOf({ ...utf8, NO_COLOR: '1' }).palette).toBe('mono')
  expect(themeOf({ ...utf8, NO_COLOR: '1', FORCE_COLOR: '1' }).palette).toBe('mono')
  expect(themeOf({ ...utf8, NO_COLOR: '' }).palette).toBe('colour')
  expect(themeOf({ ...utf8, FORCE_COLOR: '0' }).palette).toBe('mono')
  expect(themeOf({ ...utf8, TERM: 'dumb' }).palette).toBe('mono')
  expect(themeOf({ ...utf8, NO_COLOR: '1' }, { color: true }).palette).toBe('colour')
})

it('falls back to ASCII where the terminal cannot show more', () => {
  expect(themeOf(utf8).ascii).toBe(false)
  expect(themeOf({ LANG: 'C' }).ascii).toBe(true)
  expect(themeOf({ LANG: 'en_GB.UTF-8', LC_ALL: 'POSIX' }).ascii).toBe(true)
  expect(themeOf({ ...utf8, TERM: 'linux' }).ascii).toBe(true)
  expect(themeOf({ ...utf8, TERM: 'linux' }, { ascii: false }).ascii).toBe(false)
})

it('has no colour in mono and no code in plain', () => {
  const mono = createTheme({ palette: 'mono' })
  expect(mono.paint('ok', 'x')).toBe('x')
  expect(mono.paint('error', 'x')).toBe('\u001b[1mx\u001b[22m')
  expect(createTheme({ palette: 'plain' }).paint('error', 'x')).toBe('x')
})

it('tells states apart without colour', () => {
  for (const ascii of [true, false]) {
    const glyphs = Object.values(createTheme({ palette: 'plain', ascii }).glyphs.state)
    expect(new Set(glyphs).size).toBe(glyphs.length)
  }
})
