import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Clock, isCotuneError, utf8 } from '#base'
import { type CloudStore, openCloudStore } from '../../cloud-peer/store/cloud-store.ts'

const OPEN = {
  quorum: 1,
  strategy: 'exact',
  baseDigest: 'base',
  adapterDigest: '',
  deadline: 5_000,
} as const

let home: string
let now: number
let store: CloudStore
const clock: Clock = { now: () => now, sleep: async () => undefined }

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cotune-store-'))
  now = 1_000
  store = openCloudStore(home, clock)
})

afterEach(async () => {
  store.close()
  await rm(home, { recursive: true, force: true })
})

function enrol(peerId: string): void {
  store.members.add({ peerId, name: peerId, membership: utf8(peerId) })
}

function offer(device: string, blob: string, round = 1): boolean {
  return store.contributions.offer({ round, device, blob, sizeBytes: 9 })
}

function accept(device: string, blob: string, counter: number, round = 1): void {
  store.contributions.accept({ round, device, blob, counter, examples: 7 })
}

function codeOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    return isCotuneError(error) ? error.code : String(error)
  }
  return 'no error'
}

describe('invites', () => {
  const secret = utf8('a secret')
  const member = (peerId: string) => ({
    runId: 'run',
    peerId,
    name: 'own name',
    role: 'device' as const,
    issuedAt: 0,
    sealingKey: new Uint8Array(32),
    dpmDigest: '',
  })

  it('are good for one device, which may repeat itself', () => {
    store.invites.add('id', { secret, name: 'edge', expiresAt: 2_000 })
    expect(store.invites.find('id')).toMatchObject({ expiresAt: 2_000, usedBy: undefined })
    expect(store.invites.use('id', member('A'), utf8('record'))).toBe(true)
    expect(store.invites.use('id', member('A'), utf8('record'))).toBe(true)
    expect(store.invites.use('id', member('B'), utf8('record'))).toBe(false)
    expect(store.invites.find('id')?.usedBy).toBe('A')
    expect(store.members.all().map(({ peerId, name }) => [peerId, name])).toEqual([['A', 'edge']])
  })

  it('of others are unknown', () => {
    expect(store.invites.find('guess')).toBeUndefined()
    expect(store.invites.use('guess', member('A'), utf8('record'))).toBe(false)
    expect(store.members.all()).toEqual([])
  })
})

describe('members', () => {
  it('have names of their own, and revoked ones stay out when added again', () => {
    enrol('edge')
    expect(store.members.freeName('edge', 'other')).toBe('edge-2')
    expect(store.members.freeName('edge', 'edge')).toBe('edge')
    store.members.revoke('edge', 'lost')
    enrol('edge')
    expect(store.members.isActive('edge')).toBe(false)
    expect(store.members.isActive('never seen')).toBe(false)
  })
})

describe('contributions', () => {
  beforeEach(() => {
    for (const device of ['A', 'B']) enrol(device)
    store.rounds.open({ ...OPEN, round: 1 })
  })

  it('count once', () => {
    expect(offer('A', 'x')).toBe(true)
    expect(offer('A', 'x')).toBe(false)
    accept('A', 'x', 1)
    expect(offer('A', 'y')).toBe(false)
    expect(codeOf(() => accept('A', 'x', 2))).toBe('UPDATE_DUPLICATE')
    expect(store.contributions.received(1).map(({ blob }) => blob)).toEqual(['x'])
  })

  it('refuse a counter that was used, also in a later round', () => {
    offer('A', 'x')
    accept('A', 'x', 4)
    store.rounds.beginAggregation()
    store.rounds.beginTuning('m', 0)
    store.rounds.publish({ digest: 'v', blob: 'b', sizeBytes: 1, llmState: null })
    store.rounds.open({ ...OPEN, round: 2 })
    offer('A', 'x2', 2)
    expect(codeOf(() => accept('A', 'x2', 4, 2))).toBe('UPDATE_REPLAYED')
    accept('A', 'x2', 5, 2)
    expect(store.contributions.counterOf('A')).toBe(5)
  })

  it('come too late once merging has begun', () => {
    offer('A', 'x')
    store.rounds.beginAggregation()
    expect(codeOf(() => accept('A', 'x', 1))).toBe('UPDATE_LATE')
    expect(store.contributions.counterOf('A')).toBe(0)
  })

  it('may be replaced until they are in', () => {
    offer('A', 'x')
    store.contributions.refuse(1, 'A', 'damaged')
    expect(offer('A', 'x')).toBe(false)
    expect(offer('A', 'y')).toBe(true)
    expect(store.contributions.pending(1).map(({ blob }) => blob)).toEqual(['y'])
  })

  it('outlive an aborted try', () => {
    offer('A', 'x')
    accept('A', 'x', 1)
    store.rounds.abort('quorum missed')
    const retry = store.rounds.open({ ...OPEN, round: 1 })
    expect(retry).toMatchObject({ round: 1, attempt: 2, phase: 'collecting' })
    expect(store.contributions.received(1)).toHaveLength(1)
  })
})

describe('rounds', () => {
  it('publish all or nothing, once', () => {
    enrol('A')
    store.rounds.open({ ...OPEN, round: 1 })
    offer('A', 'x')
    accept('A', 'x', 1)
    store.rounds.beginAggregation()
    expect(codeOf(() => store.rounds.beginAggregation())).toBe('ROUND_PHASE')
    store.rounds.beginTuning('merged', 0.25)
    store.rounds.publish({ digest: 'v1', blob: 'b', sizeBytes: 3, llmState: 'llm' })
    expect(store.versions.latest()).toMatchObject({ version: 1, digest: 'v1', llmState: 'llm' })
    expect(store.contributions.of(1)[0]?.state).toBe('merged')
    expect(store.rounds.finished()[0]).toMatchObject({ phase: 'published', energyDropped: 0.25 })
    expect(
      codeOf(() => store.rounds.publish({ digest: 'v', blob: 'b', sizeBytes: 1, llmState: '' })),
    ).toBe('ROUND_NOT_OPEN')
  })

  it('are one at a time', () => {
    store.rounds.open({ ...OPEN, round: 1 })
    expect(() => store.rounds.open({ ...OPEN, round: 2 })).toThrow(/UNIQUE/)
  })

  it('survive reopening', () => {
    store.run.open({ quorum: 2, deadlineMs: 9, strategy: 'exact' })
    store.rounds.open({ ...OPEN, round: 1 })
    const again = openCloudStore(home, clock)
    expect(again.rounds.unfinished()).toEqual(store.rounds.unfinished())
    expect(again.run.get()).toEqual(store.run.get())
    again.close()
  })
})

describe('states', () => {
  it('are checked when read', async () => {
    const digest = await store.states.put(utf8('content'))
    expect(await store.states.put(utf8('content'))).toBe(digest)
    expect(Buffer.from(await store.states.get(digest)).toString()).toBe('content')
    await writeFile(store.states.path(digest), 'changed')
    await expect(store.states.get(digest)).rejects.toMatchObject({ code: 'STATE_DAMAGED' })
    await store.states.remove(digest)
    await expect(store.states.get(digest)).rejects.toMatchObject({ code: 'STATE_MISSING' })
  })
})
