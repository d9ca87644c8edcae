import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { type BrokenRow, type Row, type RowSource, readRows } from '#base'
import { temporaryFolder } from './temporary-folder.ts'

async function read(source: RowSource): Promise<(Row | BrokenRow)[]> {
  const rows: (Row | BrokenRow)[] = []
  for await (const row of readRows(source)) rows.push(row)
  return rows
}

function file(name: string, content: string | Uint8Array): string {
  const path = join(temporaryFolder(), name)
  writeFileSync(path, content)
  return path
}

describe('JSONL', () => {
  it('keeps line numbers over empty lines, CRLF, a byte-order mark and a missing last newline', async () => {
    const path = file('a.jsonl', '\uFEFF{"x":1}\r\n\n{"x":"é"}\n{"x":3}')
    expect(await read({ path })).toEqual([
      { line: 1, columns: { x: 1 } },
      { line: 3, columns: { x: 'é' } },
      { line: 4, columns: { x: 3 } },
    ])
  })

  it('reports broken and overlong lines and goes on, without quoting them', async () => {
    const path = file('a.jsonl', `{"secret\n[1]\n${'x'.repeat(500)}\n{"x":1}\n`)
    const rows = await read({ path, maxLineCharacters: 100 })
    expect(
      rows.map((row) => ('error' in row ? (row.error as { code?: string }).code : row.columns)),
    ).toEqual(['IMPORT_JSONL_MALFORMED', 'IMPORT_JSONL_MALFORMED', 'IMPORT_ROW_TOO_LONG', { x: 1 }])
    expect(JSON.stringify(rows)).not.toContain('secret')
  })

  it('reads lines that span many reads', async () => {
    const path = file('a.jsonl', `{"x":"${'é'.repeat(150_000)}"}\n{"x":2}\n`)
    const rows = await read({ path })
    expect(rows.map((row) => row.line)).toEqual([1, 2])
    expect(rows[0]).toMatchObject({ columns: { x: 'é'.repeat(150_000) } })
  })

  it('refuses what is not UTF-8, is not there or is of no known kind', async () => {
    const latin = file('a.jsonl', new Uint8Array([0x7b, 0xe9, 0x7d]))
    await expect(read({ path: latin })).rejects.toMatchObject({ code: 'IMPORT_NOT_UTF8' })
    await expect(read({ path: `${latin}.jsonl` })).rejects.toMatchObject({
      code: 'IMPORT_UNREADABLE',
    })
    await expect(read({ path: file('a.docx', '') })).rejects.toMatchObject({
      code: 'IMPORT_UNKNOWN_FORMAT',
    })
  })
})

describe('CSV', () => {
  it('reads quoted fields with commas, quotes and line breaks', async () => {
    const path = file('a.csv', 'q,a\r\n"what, ""now""?\nreally",yes\nplain,no\n')
    expect(await read({ path })).toEqual([
      { line: 3, columns: { q: 'what, "now"?\nreally', a: 'yes' } },
      { line: 4, columns: { q: 'plain', a: 'no' } },
    ])
  })

  it.each([
    ['a stray quote', 'q,a\none,two\n"x"y,z\n', 3],
    ['a quote that is never closed', 'q,a\none,two\n"x,z\n', 3],
    ['a short row', 'q,a\none\n', 2],
  ])('names the line of %s', async (_, text, line) => {
    const error = await read({ path: file('a.csv', text) }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'IMPORT_CSV_MALFORMED', exit: 7 })
    expect((error as { data: { line: number } }).data.line).toBeGreaterThanOrEqual(line)
  })
})

describe('SQLite', () => {
  function shop(): string {
    const path = join(temporaryFolder(), 'shop.db')
    const db = new BetterSqlite3(path)
    db.exec("CREATE TABLE t (q TEXT, a TEXT); INSERT INTO t VALUES ('1', 'x'), ('2', NULL)")
    db.close()
    return path
  }

  it('reads the rows of a query and leaves the file as it was', async () => {
    const path = shop()
    const before = readFileSync(path)
    const rows = await read({ path, query: 'SELECT q AS input, a AS output FROM t ORDER BY q' })
    expect(rows).toEqual([
      { line: 1, columns: { input: '1', output: 'x' } },
      { line: 2, columns: { input: '2', output: null } },
    ])
    expect(readFileSync(path)).toEqual(before)
  })

  it.each([
    'DELETE FROM t',
    'SELECT nothing FROM t',
    'SELECT',
    "ATTACH 'x.db' AS x",
    "SELECT json('{') FROM t",
  ])('refuses %s', async (query) => {
    await expect(read({ path: shop(), query })).rejects.toMatchObject({
      code: 'IMPORT_QUERY_FAILED',
    })
  })

  it('names an unreadable file', async () => {
    const path = file('a.db', 'not a database, but long enough to look like one '.repeat(50))
    const query = 'SELECT 1'
    await expect(read({ path, query })).rejects.toMatchObject({ code: 'DATABASE_UNREADABLE' })
    await expect(read({ path: `${path}.no`, query })).rejects.toMatchObject({
      code: 'DATABASE_UNREADABLE',
    })
  })
})
