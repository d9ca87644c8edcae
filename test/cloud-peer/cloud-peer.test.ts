import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { silentLogger } from '#base'
import {
  type CloudConfigInput,
  type CloudPeer,
  cloudConfigSchema,
  createCloudPeer,
} from '#cloud-peer'
import { decodeAdapter } from '#learning/lora'
import { type ApiClient, controlSocketPath, createApiClient } from '#protocols/api'
import type { AnnouncementBody, RoundOpen } from '#protocols/rounds'
import { FakeDevice } from './fake-device.ts'
import { adapterOf, FakeTuner, levelOf } from './fake-tuner.ts'

let home: string
let cloud: CloudPeer
let client: ApiClient
const devices: FakeDevice[] = []

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cotune-cloud-'))
  await startCloud()
})

afterEach(async () => {
  await Promise.all(devices.splice(0).map((device) => device.stop()))
  await cloud.stop()
  await rm(home, { recursive: true, force: true })
})

async function startCloud(
  listen = '/ip4/127.0.0.1/tcp/0',
  rounds: CloudConfigInput['rounds'] = {},
): Promise<void> {
  cloud = await createCloudPeer({
    config: cloudConfigSchema.parse({ home, name: 'cloud', listen: [listen], rounds }),
    logger: silentLogger,
    createTuner: async () => new FakeTuner(),
  })
  await cloud.start()
  client = createApiClient(controlSocketPath(home))
}

async function newDevice(name: string): Promise<FakeDevice> {
  const { invite } = await client.call('POST /v1/invites', { name })
  const device = new FakeDevice()
  devices.push(device)
  await device.join(invite, name)
  return device
}

async function begin(rounds: number, quorum: number): Promise<void> {
  await client.call('POST /v1/run', { rounds, quorum, deadlineMs: 60_000 })
}

async function termsOf(device: FakeDevice): Promise<RoundOpen> {
  const terms = await device.openRound()
  if (!terms) throw new Error('no round is open')
  return terms
}

function receiptIn(bodies: readonly AnnouncementBody[]) {
  return bodies.find((body) => body.type === 'update-receipt')
}

async function receipt(device: FakeDevice) {
  await eventually(async () => receiptIn(await device.ask()) !== undefined).toBe(true)
  return receiptIn(await device.ask())
}

const status = () => client.call('GET /v1/status', undefined)
const eventually = <T>(read: () => T) => expect.poll(read, { interval: 20, timeout: 20_000 })

describe('a cloud peer', () => {
  it('leads a round over the mesh and tells of it', async () => {
    const rows = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => ({
      id: `row-${n}`,
      instruction: 'Echo.',
      input: `in ${n}`,
      output: `out ${n}`,
    }))
    const path = join(home, 'public.jsonl')
    await writeFile(path, rows.map((row) => JSON.stringify(row)).join('\n'))
    expect((await status()).alerts.map(({ code }) => code)).toEqual(['NO_PUBLIC_DATA'])
    const report = await client.call('POST /v1/data', { name: 'echo', path, use: 'train' })
    expect(report.imported).toBeGreaterThan(0)
    expect(report.imported).toBeLessThan(rows.length)
    expect((await status()).alerts).toEqual([])

    const [a, b] = [await newDevice('kitchen'), await newDevice('garage')]
    await begin(1, 2)
    for (const [device, level, examples] of [
      [a, 10, 1],
      [b, 40, 2],
    ] as const) {
      const offer = await device.seal(await termsOf(device), {
        delta: adapterOf(level, 1),
        examples,
      })
      await device.ask(offer)
    }
    await eventually(async () => (await status()).dpmVersion).toBe(1)
    const after = await status()
    expect(after.round).toMatchObject({ round: 1, rounds: 1, phase: 'published', quorum: 2 })
    expect(after.round?.participants.map(({ name, phase }) => [name, phase])).toEqual([
      ['kitchen', 'received'],
      ['garage', 'received'],
    ])
    expect(after.peers.map(({ name, connected }) => [name, connected])).toEqual([
      ['kitchen', true],
      ['garage', true],
    ])
    expect(after).toMatchObject({
      role: 'cloud',
      ready: true,
      schema: 'cotune.status/1',
      engine: { provider: 'cpu' },
    })
    expect(after.loopDelayMs).toBeGreaterThanOrEqual(0)

    const told = await a.ask()
    expect(receiptIn(told)).toMatchObject({ outcome: 'counted', round: 1 })
    const version = told.find((body) => body.type === 'version-published')
    const content = decodeAdapter(await a.fetchVersion(version?.blobId ?? ''))
    // Exact aggregation of rank-one products that share their B: the mean of A, balanced.
    expect(content.size).toBe(2)
  })

  it('gives a device no more weight than maxWeight, whatever it states', async () => {
    await cloud.stop()
    await startCloud(undefined, { strategy: 'fedavg', maxWeight: 2 })
    const [modest, boastful] = [await newDevice('modest'), await newDevice('boastful')]
    await begin(1, 2)
    for (const [device, level, examples] of [
      [modest, 10, 2],
      [boastful, 40, 1_000_000],
    ] as const) {
      const update = { delta: adapterOf(level, 1), examples }
      await device.ask(await device.seal(await termsOf(device), update))
    }
    await eventually(async () => (await status()).dpmVersion).toBe(1)
    const told = await modest.ask()
    const version = told.find((body) => body.type === 'version-published')
    const content = decodeAdapter(await modest.fetchVersion(version?.blobId ?? ''))
    expect(levelOf(content)).toBeCloseTo(25, 1)
  })

  it('refuses what is replayed, forged, stale or broken, and goes on', async () => {
    const [honest, other] = [await newDevice('honest'), await newDevice('other')]
    await begin(1, 2)
    const terms = await termsOf(honest)
    const good = { delta: adapterOf(10, 1), examples: 3 }

    const attempts: readonly (readonly [string, Parameters<FakeDevice['seal']>[1]])[] = [
      ['UPDATE_WRONG_ROUND', { ...good, about: { round: 2 } }],
      ['UPDATE_WRONG_BASE', { ...good, about: { baseDigest: 'ab'.repeat(32) } }],
      ['AGGREGATE_WEIGHT', { ...good, examples: 0 }],
      ['AGGREGATE_NAMES', { ...good, delta: new Map([...good.delta].slice(0, 1)) }],
    ]
    for (const [code, contribution] of attempts) {
      await other.ask(await other.seal(terms, contribution))
      await eventually(async () => receiptIn(await other.ask())).toMatchObject({
        outcome: 'refused',
        code,
      })
    }

    const offer = await honest.seal(terms, good)
    await honest.ask(offer)
    expect(await receipt(honest)).toMatchObject({ outcome: 'counted' })
    // Another's blob, under one's own name: refused, and the owner's is still there to be merged.
    const stolen = (await honest.blobs.list())[0] ?? ''
    await other.ask(other.offer(1, stolen))
    await eventually(async () => receiptIn(await other.ask())).toMatchObject({
      code: 'UPDATE_BAD_SIGNATURE',
    })
    await honest.ask(offer)
    await honest.ask(await honest.seal(terms, { ...good, delta: adapterOf(99, 1) }))
    expect((await status()).round?.phase).toBe('collecting')

    await other.ask(await other.seal(terms, { ...good, delta: adapterOf(40, 1) }))
    await eventually(async () => (await status()).dpmVersion).toBe(1)
    expect((await status()).peers.every(({ connected }) => connected)).toBe(true)
  })

  it('gossips rounds as they open and end', async () => {
    const device = await newDevice('a')
    const heard = (type: string) => device.heard.some(({ body }) => body.type === type)
    // Gossip loses what is said before the two have told each other their topics, so it is said until it is heard.
    await eventually(async () => {
      await begin(1, 1)
      await client.call('POST /v1/run/stop', {})
      return heard('round-open') && heard('round-closed')
    }).toBe(true)
  })

  it('refuses strangers and used invites', async () => {
    const { invite } = await client.call('POST /v1/invites', { name: 'first' })
    const first = new FakeDevice()
    const second = new FakeDevice()
    devices.push(first, second)
    await first.join(invite, 'first')
    await expect(second.join(invite, 'second')).rejects.toMatchObject({
      code: 'JOIN_REFUSED',
      data: { refusal: 'INVITE_USED' },
    })
    await expect(second.ask()).rejects.toThrow()
    expect((await status()).peers.map(({ name }) => name)).toEqual(['first'])
  })

  it('goes on after a restart in the midst of a round: members, updates and keys are kept', async () => {
    const [a, b] = [await newDevice('a'), await newDevice('b')]
    await begin(1, 2)
    const terms = await termsOf(a)
    await a.ask(await a.seal(terms, { delta: adapterOf(10, 1), examples: 1 }))
    await receipt(a)
    const sealedForOldProcess = await b.seal(terms, { delta: adapterOf(40, 1), examples: 1 })
    const { addresses } = await status()
    await cloud.stop()
    await startCloud(addresses[0]?.replace(/\/p2p\/.*/, ''))

    await eventually(() => b.node.isConnected(cloud.peerId)).toBe(true)
    expect(receiptIn(await a.ask())).toMatchObject({ outcome: 'counted' })
    await b.ask(sealedForOldProcess)
    await eventually(async () => (await status()).dpmVersion).toBe(1)
    const { history } = await status()
    expect(history.map(({ phase }) => phase)).toEqual(['published'])
  })

  it('keeps secrets to its user and updates sealed', async () => {
    const device = await newDevice('a')
    await begin(1, 2)
    await device.ask(
      await device.seal(await termsOf(device), { delta: adapterOf(10, 1), examples: 1 }),
    )
    await receipt(device)
    const keys = await readdir(join(home, 'keys'))
    expect(keys).toHaveLength(1)
    for (const path of [join(home, 'identity.key'), join(home, 'keys', keys[0] ?? '')])
      expect((await stat(path)).mode & 0o077).toBe(0)
    const [blob = ''] = await readdir(join(home, 'blobs'))
    const stored = await readFile(join(home, 'blobs', blob, 'data'))
    expect(stored.includes('lora_A')).toBe(false)
  })

  it('scores before and after, talks, and says what it cannot', async () => {
    const path = join(home, 'check.jsonl')
    await writeFile(path, JSON.stringify({ id: '1', instruction: 'i', input: 'x', output: 'y' }))
    const evaluate = (model: 'llm' | 'slm', label: 'before' | 'cotuned') =>
      client.call('POST /v1/evaluate', { model, label, path })
    expect(await evaluate('llm', 'before')).toMatchObject({ em: 0, examples: 1 })
    await expect(evaluate('slm', 'before')).rejects.toMatchObject({ code: 'MODEL_NOT_HERE' })
    await expect(evaluate('llm', 'cotuned')).rejects.toMatchObject({ code: 'EVALUATE_LABEL' })
    expect(await client.call('POST /v1/chat', { prompt: 'hello' })).toEqual({
      text: 'llm: hello',
      model: 'llm@0',
    })
    const pieces: string[] = []
    await client.stream('POST /v1/chat', { prompt: 'hello' }, (piece) => pieces.push(piece))
    expect(pieces).toEqual(['llm: ', 'hello'])
    await expect(client.call('POST /v1/join', { invite: 'x' })).rejects.toMatchObject({
      code: 'API_WRONG_ROLE',
    })
  })
})
