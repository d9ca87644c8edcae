import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Clock } from '#base'
import { SealingKeys } from '../../cloud-peer/sealing-keys.ts'
import { type CloudStore, openCloudStore } from '../../cloud-peer/store/cloud-store.ts'

const EPOCH_MS = 1_000

let home: string
let folder: string
let now: number
let store: CloudStore
const clock: Clock = { now: () => now, sleep: async () => undefined }

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cotune-keys-'))
  folder = join(home, 'keys')
  now = 10_000
  store = openCloudStore(home, clock)
})

afterEach(async () => {
  store.close()
  await rm(home, { recursive: true, force: true })
})

async function started(): Promise<SealingKeys> {
  const keys = new SealingKeys({ epochs: store.keys, clock }, { folder, epochMs: EPOCH_MS })
  await keys.start()
  return keys
}

const idsOf = (keys: SealingKeys) => keys.all().map(({ keyId }) => keyId)

it('keeps the key of an epoch across restarts', async () => {
  const first = (await started()).current()
  expect((await started()).current()).toEqual(first)
})

it('begins a new key each epoch, and opens with the old one for one epoch more', async () => {
  const keys = await started()
  const old = keys.current().keyId
  now += EPOCH_MS
  await keys.rotate()
  expect(keys.current().keyId).not.toBe(old)
  expect(idsOf(keys)).toContain(old)
  now += EPOCH_MS + 1
  await keys.rotate()
  expect(idsOf(keys)).not.toContain(old)
  expect(await readdir(folder)).toHaveLength(keys.all().length)
})

it('goes on with a new key when a file was lost', async () => {
  const lost = (await started()).current().keyId
  await rm(folder, { recursive: true })
  expect((await started()).current().keyId).not.toBe(lost)
})
