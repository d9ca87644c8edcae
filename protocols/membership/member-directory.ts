import { CotuneError, sha256Hex } from '#base'
import { type Membership, openMembership, openRevocations, type Revocations } from './membership.ts'

/** A member, its signed record, and where it was last seen. */
export interface MemberEntry {
  readonly membership: Membership
  readonly record: Uint8Array
  readonly addresses: readonly string[]
}

/**
 * Who belongs to a run, as this peer knows it: only what the cloud peer has signed counts. In
 * memory; the peer that owns it stores the records and adds them again at its start.
 */
export class MemberDirectory {
  readonly runId: string
  readonly cloudPeerId: string
  readonly #members = new Map<string, MemberEntry>()
  #revocations: Revocations | undefined
  #revocationsRecord: Uint8Array = new Uint8Array(0)

  constructor(init: { readonly runId: string; readonly cloudPeerId: string }) {
    this.runId = init.runId
    this.cloudPeerId = init.cloudPeerId
  }

  /** The gate of the mesh: the cloud peer, and every member that was not revoked. */
  isMember(peerId: string): boolean {
    if (peerId === this.cloudPeerId) return true
    return this.#members.has(peerId) && !this.isRevoked(peerId)
  }

  isRevoked(peerId: string): boolean {
    return this.#revocations?.peerIds.includes(peerId) ?? false
  }

  /** Adds a member by its signed record. @throws MEMBERSHIP_INVALID, PROTOCOL_* */
  add(record: Uint8Array, addresses: readonly string[] = []): Membership {
    const membership = openMembership(record, this.cloudPeerId, this.runId)
    const known = this.#members.get(membership.peerId)
    // Records can arrive in any order; the newest holds.
    if (known && known.membership.issuedAt > membership.issuedAt) return known.membership
    this.#members.set(membership.peerId, {
      membership,
      record,
      addresses: addresses.length > 0 ? addresses : (known?.addresses ?? []),
    })
    return membership
  }

  /**
   * Takes a list of revocations, unless it is older than the one held.
   * @throws MEMBERSHIP_INVALID, PROTOCOL_*
   */
  revoke(record: Uint8Array): void {
    const revocations = openRevocations(record, this.cloudPeerId, this.runId)
    if (this.#revocations && revocations.sequence <= this.#revocations.sequence) return
    this.#revocations = revocations
    this.#revocationsRecord = record
  }

  get(peerId: string): MemberEntry | undefined {
    return this.#members.get(peerId)
  }

  /** Members that were not revoked, in order of joining. */
  list(): readonly MemberEntry[] {
    return [...this.#members.values()].filter(({ membership }) => this.isMember(membership.peerId))
  }

  /** The signed list of revocations; empty before the first. */
  get revocations(): Uint8Array {
    return this.#revocationsRecord
  }

  /** Equal on two peers that know the same members: cheap to compare before a list is fetched. */
  digest(): string {
    const ids = this.list().map(({ membership }) => `${membership.peerId} ${membership.issuedAt}`)
    return sha256Hex([...ids.sort(), String(this.#revocations?.sequence ?? 0)].join('\n'))
  }

  /** @throws MEMBERSHIP_UNKNOWN */
  require(peerId: string): Membership {
    const entry = this.#members.get(peerId)
    if (entry && !this.isRevoked(peerId)) return entry.membership
    throw new CotuneError('MEMBERSHIP_UNKNOWN', `${peerId} is not a member of the run.`, {
      hint: 'It has to join with an invite of the cloud peer.',
      data: { peerId },
    })
  }
}
