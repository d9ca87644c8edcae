import { sha256 } from '#base'
import type { RoundTerms } from '#protocols/rounds'
import type { CloudStore } from '../store/cloud-store.ts'
import type { RoundRow } from '../store/rounds.ts'

export interface TermsInit {
  /** X25519 key that updates are sealed to. */
  readonly sealingKey: Uint8Array
  readonly maxUpdateBytes: number
  /** How many updates end the wait before the deadline. */
  readonly expected: number
}

/** The terms of a try at a round, as devices are told them. */
export function termsOf(row: RoundRow, store: CloudStore, init: TermsInit): RoundTerms {
  const run = store.run.get()
  const start = store.versions.get(row.round - 1)
  const digest = sha256(`${run.id}/${row.round}`)
  return {
    ...init,
    round: row.round,
    rounds: Math.max(run.rounds, row.round),
    baseDigest: row.baseDigest,
    ...(start ? { startVersion: start.blob } : {}),
    opensAt: row.openedAt,
    deadline: row.deadline,
    quorum: row.quorum,
    strategy: row.strategy,
    seed: new DataView(digest.buffer, digest.byteOffset).getUint32(0),
  }
}
