import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '#base'
import { isPublic } from '#learning/data'
import type { ImportRequest } from '#protocols/api'
import { importPublicRows } from '../../cloud-peer/public-data.ts'
import { type CloudStore, openCloudStore } from '../../cloud-peer/store/cloud-store.ts'

let home: string
let store: CloudStore

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cotune-public-'))
  store = openCloudStore(home, systemClock)
})

afterEach(async () => {
  store.close()
  await rm(home, { recursive: true, force: true })
})

async function fileOf(lines: readonly (string | object)[], name = 'rows.jsonl'): Promise<string> {
  const path = join(home, name)
  const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)))
  await writeFile(path, text.join('\n'))
  return path
}

const rows = Array.from({ length: 200 }, (_, n) => ({
  id: `row-${n}`,
  instruction: 'Answer.',
  input: `question ${n}`,
  output: `answer ${n}`,
  domain: 'test',
}))
const publicRows = rows.filter(({ id }) => isPublic(id))

const importing = (request: Partial<ImportRequest> & { readonly path: string }) =>
  importPublicRows(
    store.examples,
    { name: 'set', ...request },
    { maxCharacters: 20_000, maxTotalCharacters: 1_000_000 },
  )

describe('importing public rows', () => {
  it('reads many back in order, page by page', async () => {
    const many = Array.from({ length: 2_500 }, (_, i) => ({
      example: {
        id: `r${String(i).padStart(5, '0')}`,
        instruction: '',
        input: `${i}`,
        output: 'a',
      },
      heldOut: false,
    }))
    store.examples.add('many', 'many.jsonl', many)
    const read = await store.examples.training()
    expect(read.map(({ id }) => id)).toEqual(many.map(({ example }) => example.id))
  })

  it('takes the public half only, once', async () => {
    const path = await fileOf(rows)
    const first = await importing({ path, use: 'train' })
    expect(first).toMatchObject({ imported: publicRows.length, duplicates: 0, skipped: [] })
    const training = await store.examples.training()
    expect(training.every(({ id }) => isPublic(id))).toBe(true)
    expect(training[0]).toEqual(publicRows.find(({ id }) => id === training[0]?.id))
    expect(await importing({ path, use: 'train' })).toMatchObject({
      imported: 0,
      duplicates: publicRows.length,
    })
    expect(store.examples.datasets()).toMatchObject([
      { name: 'set', source: 'rows.jsonl', train: publicRows.length, evaluation: 0 },
    ])
  })

  it('takes rows for evaluation whole and never trains on them', async () => {
    await importing({ path: await fileOf(rows), use: 'evaluation' })
    expect(await store.examples.heldOut()).toHaveLength(rows.length)
    await importing({ path: await fileOf(rows), use: 'train', name: 'again' })
    expect(await store.examples.training()).toEqual([])
  })

  it('holds out about a tenth by default, and no private row is trained on', async () => {
    await importing({ path: await fileOf(rows) })
    const training = await store.examples.training()
    const heldOut = await store.examples.heldOut()
    expect(heldOut.length).toBeGreaterThan(2)
    expect(heldOut.length).toBeLessThan(50)
    expect([...training, ...heldOut].every(({ id }) => isPublic(id))).toBe(true)
  })

  it('obeys limit and dryRun', async () => {
    const path = await fileOf(rows)
    expect(await importing({ path, use: 'train', dryRun: true, limit: 7 })).toMatchObject({
      imported: 7,
      dryRun: true,
    })
    expect(store.examples.count()).toBe(0)
    await importing({ path, use: 'train', limit: 7 })
    expect(store.examples.count()).toBe(7)
  })

  it.each([
    ['IMPORT_JSONL_MALFORMED', '{"instruction": "cut'],
    ['IMPORT_ROW_NO_ANSWER', { id: 'x', instruction: 'i', input: 'x', output: ' ' }],
    ['IMPORT_ROW_TOO_LONG', { id: 'x', instruction: 'i', input: 'x', output: 'y'.repeat(100_000) }],
  ] as const)(
    'keeps nothing of a file with a %s, or skips the row when told to',
    async (code, bad) => {
      const path = await fileOf([...publicRows.slice(0, 3), bad, ...publicRows.slice(3, 5)])
      await expect(importing({ path, use: 'train' })).rejects.toMatchObject({ code })
      expect(store.examples.count()).toBe(0)
      const report = await importing({ path, use: 'train', onError: 'skip' })
      expect(report).toMatchObject({ imported: 5, skipped: [{ line: 4, code }] })
    },
  )

  it('takes CSV and a query on SQLite as devices do', async () => {
    const line = ({ id, input, output }: (typeof rows)[number]) => `${id},${input},${output}`
    const path = await fileOf(['id,question,output', ...rows.map(line)], 'rows.csv')
    const columns = { input: 'question' }
    expect(await importing({ path, use: 'train', columns })).toMatchObject({
      imported: publicRows.length,
    })
    const db = new BetterSqlite3(join(home, 'rows.db'))
    db.exec('CREATE TABLE faq (id TEXT, input TEXT, output TEXT)')
    const insert = db.prepare('INSERT INTO faq VALUES (?, ?, ?)')
    for (const { id, input, output } of rows) insert.run(`db-${id}`, `${input} again`, output)
    db.close()
    const query = 'SELECT * FROM faq'
    const report = await importing({
      path: join(home, 'rows.db'),
      query,
      use: 'train',
      name: 'faq',
    })
    expect(report.imported).toBe(rows.filter(({ id }) => isPublic(`db-${id}`)).length)
    expect(store.examples.datasets().map(({ source }) => source)).toContain('sqlite:rows.db')
  })

  it('says what it cannot read', async () => {
    await expect(importing({ path: join(home, 'none.jsonl') })).rejects.toMatchObject({
      code: 'IMPORT_UNREADABLE',
    })
    await expect(importing({ path: await fileOf(rows, 'rows.txt') })).rejects.toMatchObject({
      code: 'IMPORT_UNKNOWN_FORMAT',
    })
  })
})
