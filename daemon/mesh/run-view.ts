import type { Announcement, RoundOpen } from '#protocols/rounds'
import type { PublishedVersion, UpdateVerdict } from '../rounds/cloud-link.ts'
import type { RoundTerms } from '../store/round-store.ts'

/** What this device knows of the run, folded from the cloud peer's announcements. */
export interface RunView {
  /** The round that collects. */
  readonly open: RoundTerms | undefined
  readonly published: PublishedVersion | undefined
  /** By sealed update; only this device's. */
  readonly verdicts: ReadonlyMap<string, UpdateVerdict>
  /** When the cloud peer said the latest thing about a round's beginning or end: older words about it come too late. */
  readonly roundSaidAt: number
}

export const EMPTY_VIEW: RunView = {
  open: undefined,
  published: undefined,
  verdicts: new Map(),
  roundSaidAt: 0,
}

/**
 * The view after an announcement that was found good; `view` itself when it changes nothing. Announcements come twice, late and in any
 * order, by gossip and on asking.
 */
export function reduceView(view: RunView, announcement: Announcement, peerId: string): RunView {
  const { body, runId, issuedAt } = announcement
  switch (body.type) {
    case 'round-open': {
      if (issuedAt <= view.roundSaidAt || body.round <= (view.published?.version ?? 0)) return view
      return { ...view, open: toTerms(runId, body), roundSaidAt: issuedAt }
    }
    case 'round-closed': {
      if (issuedAt <= view.roundSaidAt) return view
      return { ...view, open: undefined, roundSaidAt: issuedAt }
    }
    case 'version-published': {
      if (body.round <= (view.published?.version ?? 0)) return view
      const open = view.open && view.open.round > body.round ? view.open : undefined
      return { ...view, open, published: { version: body.round, blobId: body.blobId } }
    }
    case 'update-receipt': {
      if (body.peerId !== peerId || view.verdicts.has(body.blobId)) return view
      const accepted = body.outcome === 'counted'
      const reason = accepted ? '' : (body.code ?? 'UPDATE_REFUSED')
      const verdicts = new Map(view.verdicts).set(body.blobId, { accepted, reason })
      return { ...view, verdicts }
    }
    case 'update-offer':
      return view
  }
}

function toTerms(runId: string, body: RoundOpen): RoundTerms {
  const { round, rounds, baseDigest, startVersion = '', deadline, quorum } = body
  const { sealingKey, maxUpdateBytes, opensAt: openedAt } = body
  return {
    runId,
    round,
    rounds,
    baseDigest,
    startVersion,
    openedAt,
    deadline,
    quorum,
    sealingKey,
    maxUpdateBytes,
  }
}
