import { afterEach, describe, expect, it } from 'vitest'
import { createIdentity } from '#protocols/mesh'
import {
  type Announcement,
  Announcements,
  fetchState,
  type RoundOpen,
  StateSync,
  serveState,
  signAnnouncement,
} from '#protocols/rounds'
import { startNode, type TestNode, until } from '../support/mesh-nodes.ts'

const blobId = 'bb'.repeat(32)
const open: RoundOpen = {
  type: 'round-open',
  round: 1,
  rounds: 3,
  baseDigest: 'aa'.repeat(32),
  opensAt: 1_000,
  deadline: 2_000,
  quorum: 2,
  expected: 3,
  strategy: 'exact',
  sealingKey: new Uint8Array(32).fill(9),
  maxUpdateBytes: 50_000_000,
  seed: 7,
}

describe('rounds over the wire', () => {
  const running: TestNode[] = []
  const members = new Set<string>()
  afterEach(async () => {
    await Promise.all(running.splice(0).map(({ node }) => node.stop()))
    members.clear()
  })
  const start = async (cloudPeerId?: string) => {
    const identity = createIdentity()
    members.add(identity.peerId)
    const made = await startNode(members, {}, identity)
    running.push(made)
    const heard: Announcement[] = []
    const announcements = new Announcements(
      { mesh: made.node, identity },
      {
        runId: 'run-1',
        cloudPeerId: cloudPeerId ?? identity.peerId,
        isMember: (peerId) => members.has(peerId),
        onAnnouncement: (announcement) => heard.push(announcement),
      },
    )
    announcements.listen()
    return { ...made, announcements, heard }
  }

  it('gossips an announcement through a neighbour to who is not connected to its author', async () => {
    const cloud = await start()
    const near = await start(cloud.node.peerId)
    const far = await start(cloud.node.peerId)
    await near.node.connect(cloud.node.peerId, cloud.node.addresses())
    await far.node.connect(near.node.peerId, near.node.addresses())
    let round = 0
    await until(async () => {
      await cloud.announcements.publish({ ...open, round: ++round })
      return far.heard.length > 0
    })
    expect(far.heard[0]).toMatchObject({ signer: cloud.node.peerId, body: { type: 'round-open' } })
    expect(far.node.isConnected(cloud.node.peerId)).toBe(false)
  })

  it('drops a forged, a replayed and an overdue announcement', async () => {
    const cloud = await start()
    const device = await start(cloud.node.peerId)
    await device.node.connect(cloud.node.peerId, cloud.node.addresses())
    const good = await cloud.announcements.publish(open)
    await until(async () => {
      await cloud.announcements.publish({ ...open, round: 1 + device.heard.length })
      return device.heard.length > 0
    })
    const forged = signAnnouncement(device.identity, 'run-1', open, Date.now())
    const overdue = signAnnouncement(cloud.identity, 'run-1', open, Date.now() - 3_600_000)
    const other = signAnnouncement(cloud.identity, 'run-2', open, Date.now())
    const judged = cloud.events.length
    for (const { bytes } of [forged, overdue, other, good]) await device.node.publish(bytes)
    await until(() => cloud.events.length >= judged + 2, 5_000, 'two refusals')
    await cloud.announcements.repeat(good)
    await cloud.announcements.repeat(overdue)
    const last = await cloud.announcements.publish({ ...open, round: 99 })
    await until(() => device.heard.some(({ id }) => id === last.id))
    expect(cloud.heard).toEqual([])
    const ids = device.heard.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    for (const { id } of [forged, overdue, other]) expect(ids).not.toContain(id)
  })

  it('tells who comes late what holds, and takes its offer', async () => {
    const cloud = await start()
    const device = await start(cloud.node.peerId)
    await device.node.connect(cloud.node.peerId, cloud.node.addresses())
    const round = signAnnouncement(cloud.identity, 'run-1', open, 1_000)
    const offers: [Uint8Array, string][] = []
    const refused: unknown[] = []
    await serveState(cloud.node, {
      runId: 'run-1',
      stateFor: () => ({
        now: 4_242,
        announcements: [round.bytes],
        membersDigest: 'dd'.repeat(32),
      }),
      takeOffer: (offer, peerId) => {
        if (offer.length < 10) throw new Error('a bad offer')
        offers.push([offer, peerId])
      },
      onRefused: (error) => refused.push(error),
    })
    const offer = signAnnouncement(
      device.identity,
      'run-1',
      { type: 'update-offer', round: 1, blobId, sizeBytes: 10, expiresAt: 1 },
      Date.now(),
    ).bytes
    const state = await fetchState(device.node, cloud.node.peerId, { runId: 'run-1', offer })
    expect(state.now).toBe(4_242)
    expect(offers).toEqual([[offer, device.node.peerId]])
    // However old: it came from the cloud peer itself.
    expect(device.announcements.take(state.announcements[0]!).body).toEqual(open)
    device.announcements.setCloudTime(state.now)
    expect(device.announcements.now()).toBeLessThan(10_000)

    const again = await fetchState(device.node, cloud.node.peerId, {
      runId: 'run-1',
      offer: new Uint8Array([1, 2, 3]),
    })
    expect(again.announcements).toHaveLength(1)
    expect(refused).toHaveLength(1)
    await expect(
      fetchState(device.node, cloud.node.peerId, { runId: 'run-2' }),
    ).rejects.toMatchObject({ code: 'PROTOCOL_CLOSED' })
  })
})

describe('StateSync', () => {
  it('asks at the start, on every trigger, again after a failure, and stops', async () => {
    let asked = 0
    const failures: unknown[] = []
    const sync = new StateSync({
      intervalMs: 100_000,
      ask: async () => {
        asked++
        if (asked === 2) throw new Error('away')
      },
      onFailure: (error) => failures.push(error),
    })
    await sync.start()
    await until(() => asked === 1)
    sync.trigger()
    await until(() => asked === 2)
    sync.trigger()
    await until(() => asked === 3)
    expect(failures).toHaveLength(1)
    await sync.stop()
    sync.trigger()
    expect(asked).toBe(3)
  })
})
