import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isCotuneError } from '#base'
import { createIdentity } from '#protocols/mesh'
import { LIMITS, signBody } from '#protocols/messages'
import {
  type AnnouncementBody,
  openAnnouncement,
  ReplayWindow,
  type RoundOpen,
  signAnnouncement,
} from '#protocols/rounds'

const cloud = createIdentity()
const device = createIdentity()
const stranger = createIdentity()
const authority = {
  runId: 'run-1',
  cloudPeerId: cloud.peerId,
  isMember: (peerId: string) => peerId === device.peerId,
}
const blobId = 'bb'.repeat(32)
const open: RoundOpen = {
  type: 'round-open',
  round: 1,
  rounds: 3,
  baseDigest: 'aa'.repeat(32),
  startVersion: 'cc'.repeat(32),
  opensAt: 1_000,
  deadline: 2_000,
  quorum: 2,
  expected: 3,
  strategy: 'exact',
  sealingKey: new Uint8Array(32).fill(9),
  maxUpdateBytes: 50_000_000,
  seed: 7,
}
const { startVersion: _, ...first } = open
const bodies: readonly AnnouncementBody[] = [
  open,
  first,
  { type: 'update-offer', round: 1, blobId, sizeBytes: 1_000, expiresAt: 5_000 },
  { type: 'update-receipt', round: 1, blobId, peerId: device.peerId, outcome: 'counted' },
  {
    type: 'update-receipt',
    round: 1,
    blobId,
    peerId: device.peerId,
    outcome: 'refused',
    code: 'UPDATE_WRONG_BASE',
  },
  { type: 'round-closed', round: 1, outcome: 'aborted', reason: 'no quorum', counted: 0 },
  { type: 'version-published', round: 1, blobId, baseDigest: 'aa'.repeat(32), sizeBytes: 9 },
]
const code = (expected: string) => expect.objectContaining({ code: expected })

describe('announcements', () => {
  it.each(bodies.map((body) => [body.type, body] as const))('carry %s', (type, body) => {
    const signer = type === 'update-offer' ? device : cloud
    const signed = signAnnouncement(signer, 'run-1', body, 1_500)
    expect(openAnnouncement(signed.bytes, authority)).toEqual(signed)
    expect(signed.bytes.length).toBeLessThanOrEqual(LIMITS.announcementBytes)
  })

  it("are the cloud peer's to make, but for offers of members", () => {
    for (const body of bodies) {
      const bytes = (signer: typeof cloud) => signAnnouncement(signer, 'run-1', body, 1).bytes
      const refused = code('ANNOUNCEMENT_UNAUTHORISED')
      expect(() => openAnnouncement(bytes(stranger), authority)).toThrowError(refused)
      if (body.type === 'update-offer') openAnnouncement(bytes(device), authority)
      else expect(() => openAnnouncement(bytes(device), authority)).toThrowError(refused)
    }
  })

  it('belong to one run', () => {
    const other = signAnnouncement(cloud, 'run-2', open, 1)
    expect(() => openAnnouncement(other.bytes, authority)).toThrowError(
      code('ANNOUNCEMENT_WRONG_RUN'),
    )
  })

  it('are refused with terms that make no sense', () => {
    for (const change of [
      { quorum: 0 },
      { deadline: 999 },
      { round: 0 },
      { sealingKey: new Uint8Array(31) },
      { baseDigest: 'aa' },
      { maxUpdateBytes: 2 ** 31 },
      { rounds: -1 },
    ]) {
      expect(() => signAnnouncement(cloud, 'run-1', { ...open, ...change }, 1)).toThrow()
    }
  })

  it('answer any bytes with a typed error, signed or not', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, signed) => {
        try {
          openAnnouncement(signed ? signBody(cloud, 'announcement', bytes) : bytes, authority)
          return false
        } catch (error) {
          return isCotuneError(error) && error.code.startsWith('PROTOCOL_')
        }
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('ReplayWindow', () => {
  const announce = (issuedAt: number) => signAnnouncement(cloud, 'run-1', open, issuedAt)

  it('lets each announcement through once, however long it is repeated', () => {
    const window = new ReplayWindow({ windowMs: 1_000 })
    const announcement = announce(10_000)
    expect(window.judge(announcement, 10_000)).toBe('fresh')
    for (let now = 10_000; now <= 11_000; now += 100) {
      expect(window.judge(announcement, now)).toBe('seen')
    }
    expect(window.judge(announcement, 11_001)).toBe('stale')
    expect(window.judge(announce(20_000), 20_000)).toBe('fresh')
    expect(window.judge(announcement, 20_000)).toBe('stale')
  })

  it('takes nothing from far in the future', () => {
    expect(new ReplayWindow({ windowMs: 1_000 }).judge(announce(5_000), 1_000)).toBe('stale')
  })

  it('holds a bounded number', () => {
    const window = new ReplayWindow({ windowMs: 1e9, maxHeld: 3 })
    for (let i = 1; i <= 10; i++) expect(window.judge(announce(i), 100)).toBe('fresh')
    expect(window.judge(announce(10), 100)).toBe('seen')
  })
})
