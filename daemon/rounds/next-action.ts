import type { RoundRow, RoundTerms } from '../store/round-store.ts'
import type { VersionRow } from '../store/version-store.ts'
import type { PublishedVersion, UpdateVerdict } from './cloud-link.ts'

/** What the device knows when it decides. */
export interface Situation {
  readonly now: number
  /** The round that the cloud peer collects for, as last heard. */
  readonly open: RoundTerms | undefined
  /** This device's row of that round. */
  readonly row: RoundRow | undefined
  /** Rounds of this run whose rows are unfinished though a version of them is out. */
  readonly finished: readonly number[]
  /** The newest version that the cloud peer published, as last heard. */
  readonly published: PublishedVersion | undefined
  /** The newest version that is here. */
  readonly newest: VersionRow | undefined
  /** Digest of the proxy model's base on this device. */
  readonly baseDigest: string
  /** The version that `open` starts from is on this device; true for the first round. */
  readonly hasStart: boolean
  readonly trainingExamples: number
  /** What the cloud peer said about the update that was offered. */
  readonly verdict: UpdateVerdict | undefined
  readonly connected: boolean
  readonly lastOfferedAt: number | undefined
}

export type Action =
  | { readonly type: 'note'; readonly terms: RoundTerms }
  | { readonly type: 'close'; readonly round: number }
  | { readonly type: 'fetch-version'; readonly version: PublishedVersion }
  | { readonly type: 'judge-version'; readonly version: VersionRow }
  | { readonly type: 'refuse'; readonly row: RoundRow; readonly reason: string }
  | { readonly type: 'tune'; readonly row: RoundRow }
  | { readonly type: 'seal'; readonly row: RoundRow }
  | { readonly type: 'offer'; readonly row: RoundRow }
  | { readonly type: 'settle'; readonly row: RoundRow; readonly verdict: UpdateVerdict }
  | { readonly type: 'wait'; readonly ms: number; readonly why: WaitReason }

export type WaitReason =
  | 'nothing-to-do'
  | 'no-examples'
  | 'no-start-version'
  | 'deadline'
  | 'receipt'

const IDLE_MS = 15_000
/** Gossip may lose an offer, and a cloud peer that restarted may have missed it. */
const REOFFER_MS = 3_000

/**
 * The one next thing to do: a pure function of what is on disk and what was heard, so a restart at any point goes on by itself.
 * Work for a round goes before judging a version, which can wait until others are busy.
 */
export function nextAction(situation: Situation): Action {
  const { published, newest, finished } = situation
  if (finished[0] !== undefined) return { type: 'close', round: finished[0] }
  if (published && situation.connected && published.version > (newest?.version ?? 0)) {
    return { type: 'fetch-version', version: published }
  }
  const work = roundAction(situation)
  if (work.type !== 'wait') return work
  if (newest && newest.kept === undefined) return { type: 'judge-version', version: newest }
  return work
}

function roundAction(situation: Situation): Action {
  const { open, row, now } = situation
  if (!open) return { type: 'wait', ms: IDLE_MS, why: 'nothing-to-do' }
  if (!row || !isSameAttempt(row, open)) return { type: 'note', terms: open }
  switch (row.phase) {
    case 'open':
      return tuneAction(situation, row)
    case 'tuned':
      return { type: 'seal', row }
    case 'offered': {
      if (situation.verdict) return { type: 'settle', row, verdict: situation.verdict }
      const dueAt = (situation.lastOfferedAt ?? Number.NEGATIVE_INFINITY) + REOFFER_MS
      if (situation.connected && dueAt <= now) return { type: 'offer', row }
      return { type: 'wait', ms: Math.max(100, Math.min(dueAt - now, REOFFER_MS)), why: 'receipt' }
    }
    default:
      return { type: 'wait', ms: IDLE_MS, why: 'nothing-to-do' }
  }
}

function tuneAction(situation: Situation, row: RoundRow): Action {
  const { baseDigest, now } = situation
  if (row.baseDigest !== baseDigest) {
    const [theirs, ours] = [row.baseDigest, baseDigest].map((digest) => digest.slice(0, 12))
    return {
      type: 'refuse',
      row,
      reason: `the run uses proxy model ${theirs}, this device has ${ours}`,
    }
  }
  if (now >= row.deadline) return { type: 'wait', ms: IDLE_MS, why: 'deadline' }
  if (situation.trainingExamples === 0) return { type: 'wait', ms: IDLE_MS, why: 'no-examples' }
  if (!situation.hasStart) return { type: 'wait', ms: 1_000, why: 'no-start-version' }
  return { type: 'tune', row }
}

function isSameAttempt(row: RoundRow, open: RoundTerms): boolean {
  return (
    row.round === open.round &&
    row.openedAt === open.openedAt &&
    row.baseDigest === open.baseDigest &&
    row.startVersion === open.startVersion
  )
}
