import { describe, expect, it } from 'vitest'
import type { Announcement, AnnouncementBody } from '#protocols/rounds'
import { EMPTY_VIEW, type RunView, reduceView } from '../../daemon/mesh/run-view.ts'
import { BASE_DIGEST, RUN_ID } from './fakes.ts'

const ME = 'me'

function said(issuedAt: number, body: AnnouncementBody): Announcement {
  return {
    runId: RUN_ID,
    issuedAt,
    signer: 'cloud',
    body,
    id: `${issuedAt}`,
    bytes: new Uint8Array(),
  }
}

function open(issuedAt: number, round: number): Announcement {
  return said(issuedAt, {
    type: 'round-open',
    round,
    rounds: 3,
    baseDigest: BASE_DIGEST,
    opensAt: issuedAt,
    deadline: issuedAt + 1_000,
    quorum: 1,
    expected: 1,
    strategy: 'exact',
    sealingKey: new Uint8Array(32),
    maxUpdateBytes: 1,
    seed: 0,
  })
}

const aborted = (issuedAt: number, round: number) =>
  said(issuedAt, { type: 'round-closed', round, outcome: 'aborted', counted: 0 })
const version = (issuedAt: number, round: number) =>
  said(issuedAt, {
    type: 'version-published',
    round,
    blobId: `v${round}`,
    baseDigest: BASE_DIGEST,
    sizeBytes: 1,
  })
const receipt = (peerId: string, outcome: 'counted' | 'refused') =>
  said(9, { type: 'update-receipt', round: 1, blobId: 'b', peerId, outcome, code: 'UPDATE_X' })

const fold = (...words: readonly Announcement[]): RunView =>
  words.reduce((view, word) => reduceView(view, word, ME), EMPTY_VIEW)

describe('reduceView', () => {
  it('follows a run', () => {
    expect(fold(open(1, 1)).open).toMatchObject({ runId: RUN_ID, round: 1, startVersion: '' })
    const published = fold(open(1, 1), version(2, 1))
    expect(published).toMatchObject({ open: undefined, published: { version: 1, blobId: 'v1' } })
    expect(fold(open(1, 1), version(2, 1), open(3, 2)).open?.round).toBe(2)
  })

  it('does not care whether the version or the next round is heard first', () => {
    const view = fold(open(1, 1), open(3, 2), version(2, 1))
    expect(view).toMatchObject({ open: { round: 2 }, published: { version: 1 } })
  })

  it('does not reopen what was closed when an old word comes late', () => {
    expect(fold(open(1, 1), aborted(2, 1), open(1, 1)).open).toBeUndefined()
    expect(fold(open(1, 1), aborted(2, 1), open(3, 1)).open?.openedAt).toBe(3)
    expect(fold(open(3, 1), aborted(2, 1)).open?.openedAt).toBe(3)
    expect(fold(version(2, 1), open(9, 1)).open).toBeUndefined()
    expect(fold(version(5, 2), version(2, 1)).published?.version).toBe(2)
  })

  it('keeps the first verdict on an update of ours and no other', () => {
    expect(fold(receipt('other', 'counted')).verdicts.size).toBe(0)
    const view = fold(receipt(ME, 'counted'), receipt(ME, 'refused'))
    expect(view.verdicts.get('b')).toEqual({ accepted: true, reason: '' })
    expect(fold(receipt(ME, 'refused')).verdicts.get('b')?.reason).toBe('UPDATE_X')
  })

  it('returns the same view when nothing changes', () => {
    const view = fold(open(1, 1))
    expect(reduceView(view, open(1, 1), ME)).toBe(view)
  })
})
