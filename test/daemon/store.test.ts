import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { systemClock, utf8 } from '#base'
import { importData } from '../../daemon/import-data.ts'
import { openDeviceStore } from '../../daemon/store/device-store.ts'
import { temporaryFolder } from '../base/temporary-folder.ts'
import { RUN_ID, scores, terms } from './fakes.ts'

const LIMITS = { maxCharacters: 20_000, maxTotalCharacters: 1_000_000 }

function store(home = temporaryFolder()) {
  const opened = openDeviceStore(home, systemClock)
  onTestFinished(() => opened.close())
  return opened
}

function jsonl(count: number, bad?: number): string {
  const rows = Array.from({ length: count }, (_, i) => ({
    id: `r${i}`,
    instruction: 'Add one.',
    input: `${i}`,
    output: i === bad ? '' : `${i + 1}`,
  }))
  const path = join(temporaryFolder(), 'rows.jsonl')
  writeFileSync(path, rows.map((row) => JSON.stringify(row)).join('\n'))
  return path
}

describe('importData', () => {
  it('reads rows back page by page', async () => {
    const { examples } = store()
    await importData(examples, { name: 'sums', path: jsonl(2_500), use: 'train' }, LIMITS)
    const ids = Array.from({ length: 2_500 }, (_, i) => `r${i}`)
    expect((await examples.read('train')).map(({ id }) => id)).toEqual(ids)
    const some = await examples.read('train', 1_001)
    expect(some.map(({ id }) => id)).toEqual(ids.slice(0, 1_001))
  })

  it('keeps the order of the file, and a second import of it adds nothing', async () => {
    const { examples } = store()
    const request = { name: 'sums', path: jsonl(30), use: 'train' as const }
    const first = await importData(examples, request, LIMITS)
    expect(first.report).toMatchObject({ imported: 30, duplicates: 0 })
    expect(first.dataset).toMatchObject({ name: 'sums', source: 'rows.jsonl', train: 30 })
    expect((await examples.read('train')).map(({ id }) => id)).toEqual(
      Array.from({ length: 30 }, (_, i) => `r${i}`),
    )
    expect((await examples.read('train', 2)).map(({ id }) => id)).toEqual(['r0', 'r1'])
    const second = await importData(examples, { ...request, use: 'evaluation' }, LIMITS)
    expect(second.report).toMatchObject({ imported: 0, duplicates: 30 })
    expect(examples.count('evaluation')).toBe(0)
  })

  it('imports nothing when a row is bad, all but it when told to skip, nothing in a dry run', async () => {
    const { examples } = store()
    const request = { name: 'sums', path: jsonl(30, 17) }
    await expect(importData(examples, request, LIMITS)).rejects.toMatchObject({
      code: 'IMPORT_ROW_NO_ANSWER',
      data: { line: 18 },
    })
    expect(examples.datasets()).toEqual([])
    const dry = await importData(examples, { ...request, onError: 'skip', dryRun: true }, LIMITS)
    expect(dry.report).toMatchObject({ imported: 29, dryRun: true })
    expect(examples.datasets()).toEqual([])
    const { report } = await importData(examples, { ...request, onError: 'skip' }, LIMITS)
    expect(report.skipped).toMatchObject([{ line: 18, code: 'IMPORT_ROW_NO_ANSWER' }])
    expect(examples.count('train') + examples.count('evaluation')).toBe(29)
  })

  it("reads a user's own database by a query", async () => {
    const path = join(temporaryFolder(), 'shop.db')
    const db = new BetterSqlite3(path)
    db.exec("CREATE TABLE faq (q TEXT, a TEXT); INSERT INTO faq VALUES ('open?', 'at nine')")
    db.close()
    const { examples } = store()
    const request = {
      name: 'faq',
      path,
      query: 'SELECT q, a FROM faq',
      columns: { input: 'q', output: 'a' },
      use: 'train' as const,
    }
    const { dataset } = await importData(examples, request, LIMITS)
    expect(dataset).toMatchObject({ source: 'sqlite:shop.db', train: 1 })
    expect((await examples.read('train'))[0]).toMatchObject({ input: 'open?', output: 'at nine' })
  })
})

describe('RoundStore', () => {
  const result = { slmDigest: 'slm', slmState: '', domain: '', delta: '', examples: 3 }

  async function tuned() {
    const opened = store()
    const digest = await opened.blobs.write('delta', utf8('x'))
    const files = { ...result, slmState: digest, domain: digest, delta: digest }
    opened.rounds.open(terms(1))
    opened.rounds.tuned(RUN_ID, 1, files)
    return { ...opened, files }
  }

  it('keeps what was tuned for a repeated attempt on the same base, and drops it for another', async () => {
    const { rounds, files } = await tuned()
    expect(rounds.open(terms(1, '', 2))).toMatchObject({ phase: 'tuned', delta: files.delta })
    expect(rounds.open(terms(1, 'another', 3))).toMatchObject({ phase: 'open', delta: null })
  })

  it('seals anew for a repeated attempt under another key, unless the update was received', async () => {
    const { rounds } = await tuned()
    const otherKey = { sealingKey: new Uint8Array(32).fill(1) }
    rounds.offered(RUN_ID, 1, { blobId: 'b', sizeBytes: 1, counter: 1 })
    expect(rounds.open(terms(1, '', 2))).toMatchObject({ phase: 'offered', sealed: 'b' })
    expect(rounds.open({ ...terms(1, '', 3), ...otherKey })).toMatchObject({
      phase: 'tuned',
      sealed: null,
    })
    rounds.offered(RUN_ID, 1, { blobId: 'c', sizeBytes: 1, counter: 2 })
    rounds.received(RUN_ID, 1)
    expect(rounds.open(terms(1, '', 4))).toMatchObject({ phase: 'received', sealed: 'c' })
  })

  it('refuses a row that says more than is on disk', () => {
    const { rounds } = store()
    rounds.open(terms(1))
    expect(() => rounds.tuned(RUN_ID, 1, { ...result, slmState: 'no such blob' })).toThrow()
    const sealed = { blobId: 'b', sizeBytes: 1, counter: 1 }
    expect(() => rounds.offered(RUN_ID, 1, sealed)).toThrow()
    expect(rounds.find(RUN_ID, 1)?.phase).toBe('open')
  })

  it('forgets the update of a finished round and sweeps its file', async () => {
    const home = temporaryFolder()
    const opened = store(home)
    const state = await opened.blobs.write('slm-state', utf8('state'))
    const delta = await opened.blobs.write('delta', utf8('delta'))
    await opened.blobs.write('delta', utf8('made by a process that was killed before its row'))
    opened.rounds.open(terms(1))
    opened.rounds.tuned(RUN_ID, 1, { ...result, slmState: state, domain: state, delta })
    opened.rounds.closed(RUN_ID, 1)
    expect(
      opened.rounds.lastTuned({ baseDigest: terms(1).baseDigest, slmDigest: 'slm' }),
    ).toMatchObject({ slmState: state })
    expect(await opened.blobs.sweep([])).toBe(2)
    expect(readdirSync(join(home, 'blobs'))).toEqual([state])
  })
})

describe('VersionStore', () => {
  it('answers with the newest version kept, and rolls back', async () => {
    const { versions, blobs } = store()
    const digest = await blobs.write('shared', utf8('v'))
    for (const version of [1, 2, 3]) {
      versions.add(RUN_ID, version, digest, 'blob')
      versions.judge(RUN_ID, version, { kept: version < 3, reason: '', scores: scores(1) })
    }
    expect(versions.newest(RUN_ID)).toMatchObject({ version: 3, kept: false })
    expect(versions.current(RUN_ID)?.version).toBe(2)
    versions.rollBack(RUN_ID, 1, 'by the owner')
    expect(versions.current(RUN_ID)?.version).toBe(1)
  })
})

describe('LedgerStore', () => {
  it('only grows', () => {
    const home = temporaryFolder()
    const { ledger } = store(home)
    const entry = {
      at: 1,
      to: 'cloud',
      kind: 'join',
      round: null,
      bytes: 5,
      sha256: 'x',
      sealed: false,
    } as const
    ledger.append(entry)
    expect(ledger.list()).toEqual([entry])
    const db = new BetterSqlite3(join(home, 'daemon.db'))
    expect(() => db.exec('DELETE FROM ledger')).toThrow('append-only')
    expect(() => db.exec('UPDATE ledger SET bytes = 0')).toThrow('append-only')
    db.close()
  })
})

describe('SettingStore', () => {
  it('never gives a counter out twice, not even after a restart', () => {
    const home = temporaryFolder()
    const first = openDeviceStore(home, systemClock)
    expect([first.settings.next('c', 0), first.settings.next('c', 0)]).toEqual([1, 2])
    first.close()
    expect(store(home).settings.next('c', 0)).toBe(3)
    expect(store(home).settings.next('c', 90)).toBe(90)
  })
})
