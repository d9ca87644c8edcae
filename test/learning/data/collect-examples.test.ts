import { describe, expect, it } from 'vitest'
import type { Row } from '#base'
import { type CollectOptions, collectExamples, isPublic } from '#learning/data'

const DEFAULTS: CollectOptions = {
  path: 'rows.csv',
  use: 'train',
  onError: 'fail',
  maxCharacters: 20_000,
  maxTotalCharacters: 1_000_000,
  isKnown: () => false,
}

async function* rows(...columns: readonly Record<string, unknown>[]): AsyncGenerator<Row> {
  for (const [i, row] of columns.entries()) yield { line: i + 1, columns: row }
}

const good = (i: number) => ({
  id: `r${i}`,
  instruction: 'Add one.',
  input: `${i}`,
  output: `${i + 1}`,
})

describe('collectExamples', () => {
  it('keeps the order, maps columns and takes an answer from the references', async () => {
    const source = rows(
      { q: 'one?', a: 1 },
      { q: 'two?', a: '', references: ['two', 'deux'] },
      { q: 'three?', a: null, references: '["three"]' },
    )
    const { examples } = await collectExamples(source, {
      ...DEFAULTS,
      columns: { input: 'q', output: 'a' },
    })
    expect(examples.map(({ example }) => [example.input, example.output])).toEqual([
      ['one?', '1'],
      ['two?', 'two'],
      ['three?', 'three'],
    ])
    expect(examples[1]?.example.references).toEqual(['two', 'deux'])
    expect(new Set(examples.map(({ example }) => example.id)).size).toBe(3)
  })

  it.each([
    ['no answer', { input: 'x', output: ' ' }, 'IMPORT_ROW_NO_ANSWER'],
    ['no question', { output: 'x' }, 'IMPORT_ROW_NO_QUESTION'],
    ['100,000 characters', { input: 'x'.repeat(100_000), output: 'y' }, 'IMPORT_ROW_TOO_LONG'],
    ['an object for a text', { input: { secret: 1 }, output: 'y' }, 'IMPORT_ROW_INVALID'],
  ])('fails at a row with %s, naming file and line', async (_, row, code) => {
    const error = await collectExamples(rows(good(1), row), DEFAULTS).catch(
      (reason: unknown) => reason,
    )
    expect(error).toMatchObject({ code, exit: 7, data: { path: 'rows.csv', line: 2 } })
  })

  it('lists bad rows when told to skip them, and does not quote them', async () => {
    const source = rows(good(1), { input: 'my secret', output: '' }, good(2))
    const report = await collectExamples(source, { ...DEFAULTS, onError: 'skip' })
    expect(report.examples).toHaveLength(2)
    expect(report.skipped).toMatchObject([{ line: 2, code: 'IMPORT_ROW_NO_ANSWER' }])
    expect(JSON.stringify(report.skipped)).not.toContain('secret')
  })

  it('counts duplicates by content, here and in the store', async () => {
    const first = await collectExamples(rows(good(1), { ...good(1), id: 'other' }), DEFAULTS)
    expect(first).toMatchObject({ duplicates: 1 })
    const known = new Set(first.examples.map(({ digest }) => digest))
    const again = await collectExamples(rows(good(1), good(2)), {
      ...DEFAULTS,
      isKnown: (digest) => known.has(digest),
    })
    expect(again.duplicates).toBe(1)
    expect(again.examples.map(({ example }) => example.id)).toEqual(['r2'])
  })

  it('holds one in ten out by digest, whatever the order, and limits the training rows', async () => {
    const many = Array.from({ length: 400 }, (_, i) => good(i))
    const use = async (list: typeof many) => {
      const { examples } = await collectExamples(rows(...list), { ...DEFAULTS, use: 'split' })
      return new Map(examples.map((item) => [item.example.id, item.use]))
    }
    const forward = await use(many)
    expect(await use([...many].reverse())).toEqual(new Map([...forward].reverse()))
    const held = [...forward.values()].filter((value) => value === 'evaluation').length
    expect(held).toBeGreaterThan(20)
    expect(held).toBeLessThan(65)
    const { examples } = await collectExamples(rows(...many), {
      ...DEFAULTS,
      use: 'split',
      limit: 50,
    })
    expect(examples.filter((item) => item.use === 'train')).toHaveLength(50)
  })

  it('keeps one half only', async () => {
    const many = Array.from({ length: 50 }, (_, i) => good(i))
    const half = async (only: 'private' | 'public') =>
      (await collectExamples(rows(...many), { ...DEFAULTS, only })).examples
    const hidden = await half('private')
    expect(hidden.every(({ example }) => !isPublic(example.id))).toBe(true)
    expect(hidden.length + (await half('public')).length).toBe(50)
  })

  it('refuses a column that is not there and more text than fits', async () => {
    const columns = { input: 'question' }
    await expect(collectExamples(rows(good(1)), { ...DEFAULTS, columns })).rejects.toMatchObject({
      code: 'IMPORT_COLUMN_UNKNOWN',
    })
    await expect(
      collectExamples(rows(good(1)), { ...DEFAULTS, columns: { answer: 'output' } }),
    ).rejects.toMatchObject({ code: 'IMPORT_COLUMN_UNKNOWN' })
    await expect(
      collectExamples(rows(good(1), good(2)), { ...DEFAULTS, maxTotalCharacters: 15 }),
    ).rejects.toMatchObject({ code: 'IMPORT_TOO_LARGE' })
  })
})
