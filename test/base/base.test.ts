import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  CotuneError,
  cotuneHome,
  createLogger,
  createRandom,
  didYouMean,
  EventLog,
  fromHex,
  type Startable,
  startAll,
  stopAll,
  storageError,
  toHex,
  writeFileAtomic,
} from '#base'
import { temporaryFolder } from './temporary-folder.ts'

describe('cotuneHome', () => {
  it('prefers the flag, then COTUNE_HOME, then XDG, and creates it for the owner only', () => {
    const folder = temporaryFolder()
    const env = { COTUNE_HOME: join(folder, 'b'), XDG_DATA_HOME: join(folder, 'c') }
    expect(cotuneHome(join(folder, 'a'), env)).toBe(join(folder, 'a'))
    expect(cotuneHome(undefined, env)).toBe(join(folder, 'b'))
    expect(cotuneHome(undefined, { XDG_DATA_HOME: join(folder, 'c') })).toBe(
      join(folder, 'c', 'cotune'),
    )
    expect(statSync(join(folder, 'b')).mode & 0o777).toBe(0o700)
  })

  it('refuses a file', () => {
    const path = join(temporaryFolder(), 'file')
    writeFileSync(path, '')
    expect(() => cotuneHome(path)).toThrow(expect.objectContaining({ code: 'HOME_UNUSABLE' }))
  })
})

describe('writeFileAtomic', () => {
  it('replaces whole and leaves the old content when the source fails', async () => {
    const folder = temporaryFolder()
    const path = join(folder, 'x')
    await writeFileAtomic(path, 'old', 0o600)
    async function* failing() {
      yield new Uint8Array([1, 2])
      throw new Error('source')
    }
    await expect(writeFileAtomic(path, failing())).rejects.toThrow('source')
    expect(readFileSync(path, 'utf8')).toBe('old')
    expect(readdirSync(folder)).toEqual(['x'])
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('types a full disk', () => {
    const error = Object.assign(new Error('no space'), { code: 'ENOSPC' })
    expect(storageError(error, '/x')).toMatchObject({ code: 'DISK_FULL', data: { path: '/x' } })
    expect(storageError('other', '/x')).toBe('other')
  })
})

describe('startAll, stopAll', () => {
  const service = (log: string[], name: string, fails = false): Startable => ({
    start: async () => {
      log.push(`start ${name}`)
      if (fails) throw new Error(name)
    },
    stop: async () => {
      log.push(`stop ${name}`)
      if (fails) throw new Error(name)
    },
  })

  it('stops what had started when one fails, and stops all though one throws', async () => {
    const log: string[] = []
    const failing = startAll([service(log, 'a'), service(log, 'b', true), service(log, 'c')])
    await expect(failing).rejects.toThrow('b')
    expect(log.splice(0)).toEqual(['start a', 'start b', 'stop a'])
    await expect(stopAll([service(log, 'a'), service(log, 'b', true)])).rejects.toThrow('b')
    expect(log).toEqual(['stop b', 'stop a'])
  })
})

describe('createLogger', () => {
  it('writes one JSON line and hides what may be private', () => {
    const lines: string[] = []
    const logger = createLogger({ name: 'device', write: (line) => lines.push(line) })
    logger.debug({}, 'unseen')
    logger.child({ component: 'import' }).info({ row: { output: 'my secret', line: 3 } }, 'read')
    expect(lines).toHaveLength(1)
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      level: 'info',
      name: 'device',
      component: 'import',
      msg: 'read',
      row: { output: '[Redacted]', line: 3 },
    })
  })
})

describe('EventLog', () => {
  it('numbers without gaps, forgets the oldest and tells subscribers', () => {
    const log = new EventLog<string>({ capacity: 2, now: () => 5 })
    const seen: number[] = []
    const stop = log.subscribe((entry) => seen.push(entry.sequence))
    for (const event of ['a', 'b', 'c']) log.emit(event)
    stop()
    log.emit('d')
    expect(seen).toEqual([1, 2, 3])
    expect(log.since(0).map((entry) => entry.event)).toEqual(['c', 'd'])
    expect(log.since(3)).toEqual([{ sequence: 4, at: 5, event: 'd' }])
  })
})

describe('createRandom', () => {
  it('repeats from its seed and forks apart', () => {
    const draw = (seed: string) => Array.from({ length: 5 }, createRandom(seed).next)
    expect(draw('a')).toEqual(draw('a'))
    expect(draw('a')).not.toEqual(draw('b'))
    expect(createRandom('a').fork('x').next()).not.toBe(createRandom('a').fork('y').next())
  })

  it('is uniform and shuffles without loss', () => {
    const random = createRandom(1)
    const draws = Array.from({ length: 20_000 }, () => random.next())
    expect(draws.reduce((sum, x) => sum + x, 0) / draws.length).toBeCloseTo(0.5, 1)
    const normals = Array.from({ length: 20_000 }, () => random.normal())
    const variance = normals.reduce((sum, x) => sum + x * x, 0) / normals.length
    expect(variance).toBeGreaterThan(0.95)
    expect(variance).toBeLessThan(1.05)
    fc.assert(
      fc.property(fc.array(fc.integer()), (items) => {
        expect(random.shuffle(items).sort()).toEqual([...items].sort())
      }),
    )
  })
})

describe('small things', () => {
  it('suggests the nearest word only when it is near', () => {
    expect(didYouMean('executer', ['executor', 'threads'])).toBe('executor')
    expect(didYouMean('qqq', ['executor', 'threads'])).toBeUndefined()
  })

  it('turns bytes to hexadecimal and back', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(fromHex(toHex(bytes))).toEqual(bytes)
      }),
    )
  })

  it('carries code, hint and data in JSON', () => {
    const error = new CotuneError('X', 'what', { hint: 'next', data: { a: 1 } })
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      code: 'X',
      message: 'what',
      hint: 'next',
      data: { a: 1 },
    })
  })
})
