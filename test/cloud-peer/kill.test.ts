import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { decodeAdapter } from '#learning/lora'
import { type ApiClient, controlSocketPath, createApiClient } from '#protocols/api'
import { FakeDevice } from './fake-device.ts'
import { adapterOf, MODULE_A, MODULE_B } from './fake-tuner.ts'

const SCRIPT = fileURLToPath(new URL('./killable-cloud.ts', import.meta.url))

let home: string
let client: ApiClient
const children: ChildProcess[] = []
const devices: FakeDevice[] = []

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cotune-kill-'))
  client = createApiClient(controlSocketPath(home))
})

afterEach(async () => {
  await Promise.all(devices.splice(0).map((device) => device.stop()))
  for (const child of children.splice(0)) await kill(child)
  await rm(home, { recursive: true, force: true })
})

async function startCloud(hangIn = '', listen?: string): Promise<ChildProcess> {
  const child = fork(SCRIPT, listen === undefined ? [home, hangIn] : [home, hangIn, listen], {
    execArgv: ['--conditions=cotune-source', '--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  children.push(child)
  await told(child, 'ready')
  return child
}

async function told(child: ChildProcess, word: string): Promise<void> {
  for (;;) {
    const [message] = (await once(child, 'message')) as [unknown]
    if (message === word) return
  }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

async function newDevice(name: string): Promise<FakeDevice> {
  const { invite } = await client.call('POST /v1/invites', { name })
  const device = new FakeDevice()
  devices.push(device)
  await device.join(invite, name)
  return device
}

async function contribute(device: FakeDevice, level: number): Promise<Uint8Array> {
  const terms = await device.openRound()
  if (!terms) throw new Error('no round is open')
  const offer = await device.seal(terms, { delta: adapterOf(level, 1), examples: 1 })
  await device.ask(offer)
  return offer
}

const receiptOf = async (device: FakeDevice) =>
  (await device.ask()).find((body) => body.type === 'update-receipt')
const eventually = <T>(read: () => T) => expect.poll(read, { interval: 50, timeout: 15_000 })

async function statusOfCloud() {
  return client.call('GET /v1/status', undefined)
}

async function importPublicRows(): Promise<void> {
  const rows = [1, 2, 3, 4].map((n) => ({
    id: `row-${n}`,
    instruction: 'Echo.',
    input: `${n}`,
    output: 'out',
  }))
  const path = join(home, 'public.jsonl')
  await writeFile(path, rows.map((row) => JSON.stringify(row)).join('\n'))
  await client.call('POST /v1/data', { name: 'echo', path, use: 'train' })
}

it('a cloud peer killed with -9 in every phase of a round completes it, losing and repeating nothing', async () => {
  let cloud = await startCloud('aggregate')
  await importPublicRows()
  const [a, b] = [await newDevice('a'), await newDevice('b')]
  const bothAreBack = () => [a, b].every(({ node }) => node.isConnected(node.kept()[0] ?? ''))
  const { addresses } = await statusOfCloud()
  const listen = addresses[0]?.replace(/\/p2p\/.*/, '')

  await client.call('POST /v1/run', { rounds: 1, quorum: 2, deadlineMs: 60_000 })
  const offerOfA = await contribute(a, 10)
  await eventually(() => receiptOf(a)).toMatchObject({ outcome: 'counted' })
  await kill(cloud)

  cloud = await startCloud('aggregate', listen)
  await eventually(bothAreBack).toBe(true)
  const aggregating = told(cloud, 'reached')
  await a.ask(offerOfA)
  await contribute(b, 40)
  await aggregating
  await kill(cloud)

  cloud = await startCloud('tune', listen)
  await told(cloud, 'reached')
  expect((await statusOfCloud()).round?.phase).toBe('tuning')
  await kill(cloud)

  cloud = await startCloud('', listen)
  await eventually(async () => (await statusOfCloud()).dpmVersion).toBe(1)
  expect((await statusOfCloud()).history.map(({ phase }) => phase)).toEqual(['published'])
  await eventually(bothAreBack).toBe(true)
  const state = await a.ask()
  expect(state.find((body) => body.type === 'round-closed')).toMatchObject({ counted: 2 })
  const version = state.find((body) => body.type === 'version-published')
  const adapter = decodeAdapter(await a.fetchVersion(version?.blobId ?? ''))
  // Both updates have B = 1, so the product of the merged factors is the mean of the levels.
  const product = (adapter.get(MODULE_A)?.data[0] ?? 0) * (adapter.get(MODULE_B)?.data[0] ?? 0)
  expect(product).toBeCloseTo((10 + 40) / 2, 3)
}, 90_000)
