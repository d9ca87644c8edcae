import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, it } from 'vitest'
import { isCotuneError } from '#base'
import type { PeerEvent, Status } from '#protocols/api'
import type { ChildPeer } from '../../cli/mesh/child-peer.ts'
import type { LocalMesh } from '../../cli/mesh/local-mesh.ts'
import { smallMesh } from './small-mesh.ts'
import { statusOf } from './status-of.ts'

const ROUNDS = 2

const start = smallMesh()
let mesh: LocalMesh

/** Issue 2, "must show" 5: kill -9 of a daemon in mid-training and of the cloud peer in mid-round lose nothing. */
it('completes its rounds, each update once, though a device and the cloud peer are killed', async () => {
  const signal = AbortSignal.timeout(420_000)
  const size = { devices: 2, rounds: ROUNDS, trainRows: 24, publicRows: 16 }
  mesh = await start(size, signal)
  const [first, second] = mesh.devices
  if (first === undefined || second === undefined) throw new Error('two devices are needed')
  const terms = { rounds: ROUNDS, quorum: 2, deadlineMs: 400_000 }
  const training = eventOf(first, isTraining, signal)
  await mesh.cloud.client.call('POST /v1/run', terms, signal)

  await training
  await crash(first, signal)
  expect(await peerStatus(first.name, signal)).toMatchObject({ name: first.name, ready: true })

  await eventually(() => statusOf(mesh.cloud, signal), hasSomeUpdate, signal)
  await crash(mesh.cloud, signal)

  await eventually(() => statusOf(mesh.cloud, signal), isDone, signal)
  const status = await statusOf(mesh.cloud, signal)
  const published = status.history.filter(({ phase }) => phase === 'published')
  expect(published.map(({ round }) => round).sort()).toEqual([1, 2])
  for (const { participants } of published) {
    expect(participants.map(({ name, phase }) => `${name} ${phase}`).sort()).toEqual([
      'device-1 received',
      'device-2 received',
    ])
  }
  expect(mergedUpdates()).toEqual([
    { round: 1, devices: 2, blobs: 2 },
    { round: 2, devices: 2, blobs: 2 },
  ])
  // What left a device is in its ledger once a round, kill or not.
  for (const { name } of [first, second]) {
    const { ledger } = await peerStatus(name, signal)
    const rounds = ledger.filter(({ kind }) => kind === 'adapter-delta').map(({ round }) => round)
    expect(rounds.sort()).toEqual([1, 2])
  }
})

/** kill -9, then the same command on the same home again. */
async function crash(peer: ChildPeer, signal: AbortSignal): Promise<void> {
  const { pid } = peer
  await peer.kill()
  const again = mesh.restart(peer.name)
  expect(again.pid).not.toBe(pid)
  await again.ready(signal)
}

function peerStatus(name: string, signal: AbortSignal): Promise<Status> {
  return statusOf(mesh.peer(name), signal)
}

async function eventually(
  look: () => Promise<Status>,
  isThere: (status: Status) => boolean,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    signal.throwIfAborted()
    const status = await look().catch((error: unknown) => {
      if (isCotuneError(error, 'API_UNREACHABLE')) return undefined
      throw error
    })
    if (status !== undefined && isThere(status)) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function eventOf(
  { client }: ChildPeer,
  isIt: (event: PeerEvent) => boolean,
  signal: AbortSignal,
): Promise<void> {
  for await (const { event } of client.events(0, signal)) if (isIt(event)) return
}

function isTraining(event: PeerEvent): boolean {
  return event.type === 'progress' && event.phase === 'saml' && event.step > 2
}

function hasSomeUpdate({ round }: Status): boolean {
  return round?.participants.some(({ phase }) => phase === 'received') ?? false
}

function isDone({ round, history }: Status): boolean {
  const known = round === null ? history : [round, ...history]
  return known.some((each) => each.round === ROUNDS && each.phase === 'published')
}

/** What the cloud peer merged, from its own rows: devices and distinct updates per round. */
function mergedUpdates(): unknown {
  const database = new Database(join(mesh.homeOf('cloud'), 'cloud.db'), { readonly: true })
  const rows = database
    .prepare(
      `SELECT round, count(DISTINCT device) AS devices, count(DISTINCT blob) AS blobs
       FROM contribution WHERE state = 'merged' GROUP BY round ORDER BY round`,
    )
    .all()
  database.close()
  return rows
}
