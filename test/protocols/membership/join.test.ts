import { afterEach, describe, expect, it } from 'vitest'
import {
  createInvite,
  fetchMembers,
  type InviteStore,
  type IssuedInvite,
  inviteId,
  JOIN_PROTOCOL,
  JoinServer,
  joinRun,
  MemberDirectory,
  parseInvite,
  serveMembers,
  signMembership,
  signRevocations,
} from '#protocols/membership'
import { createIdentity } from '#protocols/mesh'
import { startNode, type TestNode } from '../support/mesh-nodes.ts'

class TestInvites implements InviteStore {
  readonly issued = new Map<string, IssuedInvite>()
  find(id: string) {
    return this.issued.get(id)
  }
  use(id: string, member: { readonly peerId: string }) {
    const invite = this.issued.get(id)
    if (!invite || (invite.usedBy !== undefined && invite.usedBy !== member.peerId)) return false
    this.issued.set(id, { ...invite, usedBy: member.peerId })
    return true
  }
}

const sealingKey = new Uint8Array(32).fill(5)
const dpmDigest = 'ee'.repeat(32)

describe('joining', () => {
  const running: TestNode[] = []
  afterEach(async () => {
    await Promise.all(running.splice(0).map(({ node }) => node.stop()))
  })

  async function startCloud(runId = 'run-1') {
    const identity = createIdentity()
    const directory = new MemberDirectory({ runId, cloudPeerId: identity.peerId })
    const isMember = (peerId: string) => directory.isMember(peerId)
    const made = await startNode(new Set(), { isMember, strangerStreamsPerMinute: 100 }, identity)
    running.push(made)
    const invites = new TestInvites()
    const join = new JoinServer(
      { mesh: made.node, identity, invites },
      {
        runId,
        sealingKey: () => sealingKey,
        dpmDigest: () => dpmDigest,
        onJoined: (_member, record) => directory.add(record),
      },
    )
    await join.serve()
    await serveMembers(made.node, directory)
    const invite = (expiresAt = Date.now() + 60_000) => {
      const created = createInvite({ runId, addresses: made.node.addresses(), expiresAt })
      invites.issued.set(created.inviteId, { secret: created.secret, expiresAt })
      return parseInvite(created.text, 0)
    }
    return { ...made, directory, invites, invite }
  }

  async function startDevice(cloudPeerId: string) {
    const directory = new MemberDirectory({ runId: 'run-1', cloudPeerId })
    const made = await startNode(new Set(), { isMember: (id) => directory.isMember(id) })
    running.push(made)
    return { ...made, directory }
  }

  it('makes a device a member, once and again for the same device', async () => {
    const cloud = await startCloud()
    const invite = cloud.invite()
    const device = await startDevice(cloud.node.peerId)
    const { membership, record } = await joinRun(device.node, invite, { name: 'kitchen' })
    expect(membership).toMatchObject({
      runId: 'run-1',
      peerId: device.node.peerId,
      name: 'kitchen',
      role: 'device',
      sealingKey,
      dpmDigest,
    })
    expect(cloud.directory.isMember(device.node.peerId)).toBe(true)
    expect(device.directory.add(record)).toEqual(membership)
    await joinRun(device.node, invite, { name: 'kitchen' })

    const second = await startDevice(cloud.node.peerId)
    await expect(joinRun(second.node, invite, { name: 'thief' })).rejects.toMatchObject({
      code: 'JOIN_REFUSED',
      data: { refusal: 'INVITE_USED' },
    })
    expect(cloud.directory.isMember(second.node.peerId)).toBe(false)
  })

  it('refuses what is unknown, expired, of another run, or without the secret', async () => {
    const cloud = await startCloud()
    const device = await startDevice(cloud.node.peerId)
    const good = cloud.invite()
    const unknown = { ...good, secret: new Uint8Array(32) }
    const wrongSecret = { ...good, secret: new Uint8Array(32).fill(1) }
    cloud.invites.issued.set(inviteId(wrongSecret.secret), {
      secret: new Uint8Array(32).fill(2),
      expiresAt: Date.now() + 60_000,
    })
    const cases = [
      [unknown, 'INVITE_UNKNOWN'],
      [cloud.invite(Date.now() - 1), 'INVITE_EXPIRED'],
      [{ ...good, runId: 'run-2' }, 'INVITE_WRONG_RUN'],
      [wrongSecret, 'INVITE_WRONG_PROOF'],
    ] as const
    for (const [invite, refusal] of cases) {
      await expect(joinRun(device.node, invite, { name: 'x' })).rejects.toMatchObject({
        code: 'JOIN_REFUSED',
        data: { refusal },
      })
    }
    expect(cloud.directory.list()).toEqual([])
    await joinRun(device.node, good, { name: 'x' })
  })

  it('survives garbage instead of a request', async () => {
    const cloud = await startCloud()
    const device = await startDevice(cloud.node.peerId)
    await device.node.connect(cloud.node.peerId, cloud.node.addresses())
    for (const size of [0, 1, 500, 16_000]) {
      const stream = await device.node.open(cloud.node.peerId, JOIN_PROTOCOL)
      await stream.write(new Uint8Array(size).fill(0xaa))
      await expect(stream.read()).rejects.toMatchObject({ code: 'PROTOCOL_CLOSED' })
    }
    await joinRun(device.node, cloud.invite(), { name: 'still alive' })
  })

  it('tells members who the others are, and who is no longer', async () => {
    const cloud = await startCloud()
    const [a, b] = [await startDevice(cloud.node.peerId), await startDevice(cloud.node.peerId)]
    for (const [device, name] of [
      [a, 'a'],
      [b, 'b'],
    ] as const) {
      const { record } = await joinRun(device.node, cloud.invite(), { name })
      device.directory.add(record)
    }
    await fetchMembers(a.node, cloud.node.peerId, a.directory)
    expect(a.directory.list().map(({ membership }) => membership.name)).toEqual(['a', 'b'])
    expect(a.directory.digest()).toBe(cloud.directory.digest())
    const known = a.directory.get(b.node.peerId)!.addresses
    expect(known[0]).toContain('/ip4/127.0.0.1/tcp/')
    await a.node.connect(b.node.peerId, known)

    const { peerId } = b.node
    cloud.directory.revoke(
      signRevocations(cloud.identity, { runId: 'run-1', sequence: 1, peerIds: [peerId] }),
    )
    await fetchMembers(a.node, cloud.node.peerId, a.directory)
    expect(a.directory.isMember(peerId)).toBe(false)
    expect(cloud.directory.isMember(peerId)).toBe(false)
    await expect(fetchMembers(b.node, cloud.node.peerId, b.directory)).rejects.toMatchObject({
      code: expect.stringMatching(/^(PROTOCOL_CLOSED|MESH_UNREACHABLE)$/),
    })
  })
})

describe('MemberDirectory', () => {
  const cloud = createIdentity()
  const peerId = createIdentity().peerId
  const membership = {
    runId: 'run-1',
    peerId,
    name: 'a',
    role: 'device' as const,
    issuedAt: 1,
    sealingKey,
    dpmDigest,
  }
  const create = () => new MemberDirectory({ runId: 'run-1', cloudPeerId: cloud.peerId })

  it('believes the cloud peer alone, about its own run', () => {
    const directory = create()
    const invalid = expect.objectContaining({ code: 'MEMBERSHIP_INVALID' })
    expect(() => directory.add(signMembership(createIdentity(), membership))).toThrowError(invalid)
    const other = signMembership(cloud, { ...membership, runId: 'run-2' })
    expect(() => directory.add(other)).toThrowError(invalid)
    expect(directory.isMember(peerId)).toBe(false)
    directory.add(signMembership(cloud, membership))
    expect(directory.isMember(peerId)).toBe(true)
  })

  it('keeps the newest record and the newest list of revocations', () => {
    const directory = create()
    directory.add(signMembership(cloud, { ...membership, issuedAt: 2, name: 'new' }))
    directory.add(signMembership(cloud, { ...membership, issuedAt: 1, name: 'old' }))
    expect(directory.get(peerId)!.membership.name).toBe('new')
    const revoke = (sequence: number, peerIds: readonly string[]) =>
      directory.revoke(signRevocations(cloud, { runId: 'run-1', sequence, peerIds }))
    revoke(2, [peerId])
    revoke(1, [])
    expect(directory.isMember(peerId)).toBe(false)
    expect(() => directory.require(peerId)).toThrowError(
      expect.objectContaining({ code: 'MEMBERSHIP_UNKNOWN' }),
    )
    revoke(3, [])
    expect(directory.require(peerId).name).toBe('new')
  })
})
