import { describe, expect, it } from 'vitest'
import { MemberDirectory } from '#protocols/membership'
import { createIdentity, MeshNode } from '#protocols/mesh'
import { Announcements } from '#protocols/rounds'
import { BlobExchange, MemoryBlobStore } from '#protocols/transfer'
import { MeshLink } from '../../daemon/mesh/mesh-link.ts'
import type { RoundRow } from '../../daemon/store/round-store.ts'
import { RUN_ID, terms } from './fakes.ts'

/** A link whose gossip is a list. */
function linkTo(gossip: string[]): MeshLink {
  const identity = createIdentity()
  const cloudPeerId = createIdentity().peerId
  const directory = new MemberDirectory({ runId: RUN_ID, cloudPeerId })
  const isMember = () => true
  const mesh = new MeshNode({ identity }, { runId: RUN_ID, isMember, listen: [] })
  const blobs = new MemoryBlobStore()
  const publish = async (bytes: Uint8Array) => void gossip.push(`said ${bytes.length}`)
  const announcements = new Announcements(
    { mesh: { publish, subscribe: () => undefined }, identity },
    { runId: RUN_ID, cloudPeerId, isMember, onAnnouncement: () => undefined },
  )
  return new MeshLink(
    {
      mesh,
      identity,
      directory,
      exchange: new BlobExchange({ mesh, store: blobs }),
      blobs,
      announcements,
    },
    { precision: 'int8', open: undefined, onAskSoon: () => undefined },
  )
}

const ROW: RoundRow = {
  ...terms(1),
  phase: 'offered',
  slmState: 's',
  domain: 'd',
  delta: 'p',
  sealed: 'ab'.repeat(32),
  sealedBytes: 9,
  examples: 1,
  counter: 1,
  reason: '',
  finishedAt: null,
}

describe('an offer', () => {
  it('is noted before the first byte goes, and once', async () => {
    const events: string[] = []
    const link = linkTo(events)
    const note = (bytes: Uint8Array) => void events.push(`noted ${bytes.length}`)
    await link.offer(ROW, note)
    await link.offer(ROW, note)
    expect(events).toEqual([
      expect.stringMatching(/^noted \d+$/),
      expect.stringMatching(/^said \d+$/),
    ])
    expect(events[1]).toBe(events[0]?.replace('noted', 'said'))
  })

  it('stays unsaid when it cannot be noted', async () => {
    const events: string[] = []
    const full = () => {
      throw new Error('disk full')
    }
    await expect(linkTo(events).offer(ROW, full)).rejects.toThrow('disk full')
    expect(events).toEqual([])
  })
})
