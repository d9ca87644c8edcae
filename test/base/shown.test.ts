import { expect, it } from 'vitest'
import { shown, shownJson } from '#base'

it('leaves plain text alone, whatever its script', () => {
  expect(shown('model.layers.0.weight — 日本語 🙂')).toBe('model.layers.0.weight — 日本語 🙂')
})

it.each([
  ['\u001b[2J', '\\u001b[2J'],
  ['a\nb\u0007', 'a\\u000ab\\u0007'],
  ['\u009b31m', '\\u009b31m'],
  ['a\u202eb', 'a\\u202eb'],
  ['\ud800', '\\ud800'],
])('escapes %j', (text, expected) => {
  expect(shown(text)).toBe(expected)
})

it('cuts what is long', () => {
  expect(shown('x'.repeat(1_000_000))).toHaveLength(203)
  expect(shownJson(Array.from({ length: 1_000 }, () => 1)).length).toBeLessThan(210)
})
