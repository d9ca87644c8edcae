/** How updates become one. */
export type Strategy = 'exact' | 'fedavg'

/**
 * The terms of a round, by the cloud peer. Times in milliseconds since the epoch, digests in
 * hexadecimal.
 */
export interface RoundTerms {
  readonly round: number
  /** Of how many rounds; 0 when the run has no planned end. */
  readonly rounds: number
  /** What updates must name as their base. */
  readonly baseDigest: string
  /** The version to start from; absent in the first round. */
  readonly startVersion?: string
  readonly opensAt: number
  readonly deadline: number
  /** Fewest updates that make the round count. */
  readonly quorum: number
  /** As many updates end the wait before the deadline. */
  readonly expected: number
  readonly strategy: Strategy
  /** X25519, 32 bytes: what updates are sealed to. */
  readonly sealingKey: Uint8Array
  readonly maxUpdateBytes: number
  /** What randomness of the round is derived from. */
  readonly seed: number
}

export interface RoundOpen extends RoundTerms {
  readonly type: 'round-open'
}

export interface UpdateOffer {
  readonly type: 'update-offer'
  readonly round: number
  readonly blobId: string
  readonly sizeBytes: number
  readonly expiresAt: number
}

export interface UpdateReceipt {
  readonly type: 'update-receipt'
  readonly round: number
  readonly blobId: string
  /** The device whose update it is. */
  readonly peerId: string
  readonly outcome: 'counted' | 'refused'
  /** Why it was refused: `UPDATE_WRONG_BASE`, ... */
  readonly code?: string
}

export interface RoundClosed {
  readonly type: 'round-closed'
  readonly round: number
  readonly outcome: 'published' | 'aborted'
  readonly reason?: string
  /** Updates that were merged. */
  readonly counted: number
}

export interface VersionPublished {
  readonly type: 'version-published'
  readonly round: number
  readonly blobId: string
  readonly baseDigest: string
  readonly sizeBytes: number
}

export type AnnouncementBody =
  | RoundOpen
  | UpdateOffer
  | UpdateReceipt
  | RoundClosed
  | VersionPublished

/** An announcement whose form, signature and authority were found good. */
export interface Announcement {
  readonly runId: string
  readonly issuedAt: number
  readonly signer: string
  readonly body: AnnouncementBody
  /** SHA-256 of `bytes`. */
  readonly id: string
  /** As signed: what is passed on and stored. */
  readonly bytes: Uint8Array
}
