import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { packagePath } from '#base'
import { isPublic } from '#learning/data'
import { DOMAINS, generateDomain, toJsonLines } from '../../examples/generate.ts'

describe.each(DOMAINS.map((domain) => [domain.name, domain] as const))('%s', (name, domain) => {
  const { train, valid, test: held } = generateDomain(domain)
  const all = [...train, ...valid, ...held]

  test('the committed files are what the generator writes', () => {
    for (const [part, examples] of Object.entries({ train, valid, test: held })) {
      const path = packagePath('examples', 'data', `${name}.${part}.jsonl`)
      expect(readFileSync(path, 'utf8')).toBe(toJsonLines(examples))
    }
  })

  test('inputs and ids are unique, so the parts are disjoint', () => {
    expect(new Set(all.map(({ input }) => input.toLowerCase())).size).toBe(all.length)
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length)
  })

  test('about half of the train rows are public', () => {
    const share = train.filter(({ id }) => isPublic(id)).length / train.length
    expect(share).toBeGreaterThan(0.45)
    expect(share).toBeLessThan(0.55)
  })

  test('answers are short, and most cannot be copied from the input', () => {
    for (const { output } of all) expect(output.split(' ').length).toBeLessThanOrEqual(8)
    const copied = all.filter(({ input, output }) =>
      input.toLowerCase().includes(output.toLowerCase()),
    )
    expect(copied.length / all.length).toBeLessThan(0.25)
  })

  test('no answer makes up half of a task', () => {
    for (const task of new Set(train.map((example) => example.task))) {
      const outputs = train.filter((example) => example.task === task).map(({ output }) => output)
      const most = Math.max(...outputs.map((one) => outputs.filter((o) => o === one).length))
      expect(most / outputs.length).toBeLessThan(0.5)
    }
  })
})
