import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { closeDatabase, inTransaction, openDatabase } from '#base'
import { temporaryFolder } from './temporary-folder.ts'

const FIRST = 'CREATE TABLE a (x INTEGER PRIMARY KEY) STRICT;'
const SECOND = 'CREATE TABLE b (y TEXT NOT NULL) STRICT; INSERT INTO b SELECT x FROM a;'

function migrations(folder: string, ...files: readonly string[]) {
  const dir = join(folder, `migrations-${files.length}`)
  mkdirSync(dir)
  for (const [i, sql] of files.entries()) writeFileSync(join(dir, `000${i + 1}-step.sql`), sql)
  return { migrationsDir: dir, applicationId: 0x1234, synchronous: 'full' as const }
}

describe('openDatabase', () => {
  it('creates, migrates forward, and keeps a copy of the old file', () => {
    const folder = temporaryFolder()
    const path = join(folder, 'x.db')
    const db = openDatabase(path, migrations(folder, FIRST))
    db.exec('INSERT INTO a VALUES (7)')
    closeDatabase(db)
    expect(existsSync(`${path}.before-2`)).toBe(false)

    const newer = openDatabase(path, migrations(folder, FIRST, SECOND))
    expect(newer.prepare('SELECT y FROM b').pluck().all()).toEqual(['7'])
    expect(newer.pragma('journal_mode', { simple: true })).toBe('wal')
    expect(newer.pragma('synchronous', { simple: true })).toBe(2)
    expect(newer.pragma('foreign_keys', { simple: true })).toBe(1)
    closeDatabase(newer)

    const copy = new BetterSqlite3(`${path}.before-2`, { readonly: true })
    expect(copy.pragma('user_version', { simple: true })).toBe(1)
    expect(copy.prepare('SELECT x FROM a').pluck().all()).toEqual([7])
    copy.close()
  })

  it('refuses a newer schema and leaves it as it is', () => {
    const folder = temporaryFolder()
    const path = join(folder, 'x.db')
    closeDatabase(openDatabase(path, migrations(folder, FIRST, SECOND)))
    expect(() => openDatabase(path, migrations(folder, FIRST))).toThrow(
      expect.objectContaining({ code: 'DATABASE_NEWER', exit: 7 }),
    )
  })

  it('rolls a failing migration back whole', () => {
    const folder = temporaryFolder()
    const path = join(folder, 'x.db')
    closeDatabase(openDatabase(path, migrations(folder, FIRST)))
    const broken = migrations(folder, FIRST, 'CREATE TABLE c (z TEXT) STRICT; SELECT nonsense;')
    expect(() => openDatabase(path, broken)).toThrow('nonsense')
    const db = new BetterSqlite3(path)
    expect(db.pragma('user_version', { simple: true })).toBe(1)
    expect(db.prepare("SELECT name FROM sqlite_schema WHERE name = 'c'").all()).toEqual([])
    db.close()
  })

  it('names a file that is no database, one of another program, and a gap in the migrations', () => {
    const folder = temporaryFolder()
    const init = migrations(folder, FIRST)
    const text = join(folder, 'text.db')
    writeFileSync(text, 'x'.repeat(8_192))
    expect(() => openDatabase(text, init)).toThrow(
      expect.objectContaining({
        code: 'DATABASE_UNREADABLE',
        data: expect.objectContaining({ path: text }),
      }),
    )
    const foreign = join(folder, 'foreign.db')
    const other = new BetterSqlite3(foreign)
    other.exec('CREATE TABLE theirs (x)')
    other.close()
    expect(() => openDatabase(foreign, init)).toThrow('another program')
    expect(() => openDatabase(join(folder, 'missing', 'x.db'), init)).toThrow()
    writeFileSync(join(init.migrationsDir, '0003-late.sql'), FIRST)
    expect(() => openDatabase(join(folder, 'y.db'), init)).toThrow(
      expect.objectContaining({ code: 'MIGRATIONS_INVALID' }),
    )
  })
})

describe('inTransaction', () => {
  it('writes all or nothing', () => {
    const folder = temporaryFolder()
    const db = openDatabase(join(folder, 'x.db'), migrations(folder, FIRST))
    expect(() =>
      inTransaction(db, () => {
        db.exec('INSERT INTO a VALUES (1)')
        throw new Error('stop')
      }),
    ).toThrow('stop')
    expect(db.prepare('SELECT count(*) FROM a').pluck().get()).toBe(0)
    closeDatabase(db)
    expect(readdirSync(folder).filter((name) => name.includes('wal'))).toEqual([])
  })

  it('types a full disk, and the database is usable afterwards', () => {
    const folder = temporaryFolder()
    const init = migrations(folder, 'CREATE TABLE blobs (x BLOB) STRICT;')
    const db = openDatabase(join(folder, 'x.db'), init)
    const pages = Number(db.pragma('page_count', { simple: true }))
    db.pragma(`max_page_count = ${pages + 4}`)
    const fill = () =>
      inTransaction(db, () => db.prepare('INSERT INTO blobs VALUES (zeroblob(1000000))').run())
    expect(fill).toThrow(expect.objectContaining({ code: 'DISK_FULL', exit: 7 }))
    expect(db.prepare('SELECT count(*) FROM blobs').pluck().get()).toBe(0)
    db.pragma('max_page_count = 100000')
    expect(fill).not.toThrow()
    closeDatabase(db)
  })
})
