import { type Clock, CotuneError, type Database, EXIT, inTransaction, sha256Hex } from '#base'

interface InviteRow {
  readonly name: string
  readonly expiresAt: number
  readonly usedBy: string | null
}

/** One-time invitations, known by the hash of their secret. */
export class Invites {
  readonly #db: Database
  readonly #clock: Clock

  constructor(db: Database, clock: Clock) {
    this.#db = db
    this.#clock = clock
  }

  add(secret: Uint8Array, invite: { readonly name: string; readonly expiresAt: number }): void {
    this.#db
      .prepare(
        'INSERT INTO invite (secret_sha256, name, created_at, expires_at) VALUES (?, ?, ?, ?)',
      )
      .run(sha256Hex(secret), invite.name, this.#clock.now(), invite.expiresAt)
  }

  /**
   * Spends the invitation on `device` and returns the name it was made for ('' if none). The same device may spend it again,
   * since its first answer may have been lost on the way.
   *
   * @throws CotuneError INVITE_UNKNOWN, INVITE_EXPIRED, INVITE_USED
   */
  spend(secret: Uint8Array, device: string): string {
    return inTransaction(this.#db, () => {
      const key = sha256Hex(secret)
      const invite = this.#find(key)
      if (!invite) throw refusal('INVITE_UNKNOWN', 'This cloud peer issued no such invite.')
      if (invite.usedBy === device) return invite.name
      if (invite.usedBy !== null) throw refusal('INVITE_USED', 'Another device used this invite.')
      if (invite.expiresAt <= this.#clock.now())
        throw refusal('INVITE_EXPIRED', 'This invite has expired.')
      this.#db
        .prepare('UPDATE invite SET used_by = ?, used_at = ? WHERE secret_sha256 = ?')
        .run(device, this.#clock.now(), key)
      return invite.name
    })
  }

  #find(key: string): InviteRow | undefined {
    return this.#db
      .prepare(
        `SELECT name, expires_at AS expiresAt, used_by AS usedBy FROM invite WHERE secret_sha256 = ?`,
      )
      .get(key) as InviteRow | undefined
  }
}

function refusal(code: 'INVITE_UNKNOWN' | 'INVITE_EXPIRED' | 'INVITE_USED', message: string) {
  return new CotuneError(code, message, {
    hint: 'Ask the operator of the cloud peer for a new one: `cotune invite`.',
    exit: EXIT.refused,
  })
}
