import { type Clock, type Database, inTransaction } from '#base'
import type { InviteStore, IssuedInvite, Membership } from '#protocols/membership'
import type { Members } from './members.ts'

interface InviteRow {
  readonly name: string
  readonly secret: Uint8Array
  readonly expiresAt: number
  readonly usedBy: string | null
}

/** One-time invitations. */
export class Invites implements InviteStore {
  readonly #db: Database
  readonly #members: Members
  readonly #clock: Clock

  constructor(db: Database, members: Members, clock: Clock) {
    this.#db = db
    this.#members = members
    this.#clock = clock
  }

  /** @param name what the device shall be called here; '' for what it calls itself */
  add(
    inviteId: string,
    invite: { readonly secret: Uint8Array; readonly name: string; readonly expiresAt: number },
  ): void {
    this.#db
      .prepare(
        `INSERT INTO invite (invite_id, secret, name, created_at, expires_at)
         VALUES (:inviteId, :secret, :name, :at, :expiresAt)`,
      )
      .run({ ...invite, inviteId, at: this.#clock.now() })
  }

  find(inviteId: string): IssuedInvite | undefined {
    const row = this.#find(inviteId)
    return row && { ...row, usedBy: row.usedBy ?? undefined }
  }

  use(inviteId: string, { peerId, name }: Membership, record: Uint8Array): boolean {
    return inTransaction(this.#db, () => {
      const invite = this.#find(inviteId)
      if (!invite || (invite.usedBy !== null && invite.usedBy !== peerId)) return false
      this.#db
        .prepare(
          'UPDATE invite SET used_by = ?, used_at = ? WHERE invite_id = ? AND used_by IS NULL',
        )
        .run(peerId, this.#clock.now(), inviteId)
      const free = this.#members.freeName(invite.name || name, peerId)
      this.#members.add({ peerId, name: free, membership: record })
      return true
    })
  }

  #find(inviteId: string): InviteRow | undefined {
    return this.#db
      .prepare(
        `SELECT name, secret, expires_at AS expiresAt, used_by AS usedBy FROM invite WHERE invite_id = ?`,
      )
      .get(inviteId) as InviteRow | undefined
  }
}
