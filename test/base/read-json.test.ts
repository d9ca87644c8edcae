import { expect, it } from 'vitest'
import { readJson, utf8 } from '#base'

it('reads what JSON.parse reads', () => {
  const value = { a: [1, { a: 'x', b: null }, { a: 'y:"' }], 'k"': { a: -1.5e3 } }
  expect(readJson(utf8(JSON.stringify(value, null, 2)))).toEqual({ value })
})

it.each([
  ['{"a":', 'is not valid JSON'],
  ['', 'is not valid JSON'],
  ['{"a":1,"b":2,"a":3}', 'names a twice'],
  ['[{"x":{"a":1, "\\u0061" :2}}]', 'names a twice'],
  [`${'['.repeat(65)}${']'.repeat(65)}`, 'is nested deeper than 64 levels'],
  [`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`, 'is nested deeper than 64 levels'],
])('refuses %.40s', (json, problem) => {
  expect(readJson(utf8(json))).toMatchObject({ problem })
})

it('refuses bytes that are no UTF-8', () => {
  expect(readJson(Uint8Array.of(0x22, 0xff, 0x22))).toMatchObject({ problem: 'is not valid UTF-8' })
})

it('takes a string value for no key', () => {
  expect(readJson(utf8('{"a":"b","b":"a","c":["a","a"]}'))).toHaveProperty('value')
})

it('makes no prototype of __proto__', () => {
  const reading = readJson(utf8('{"__proto__":{"polluted":true}}'))
  expect(Object.keys((reading as { value: object }).value)).toEqual(['__proto__'])
  expect({}).not.toHaveProperty('polluted')
})
