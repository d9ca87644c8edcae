import type { Clock, Database } from '#base'

export interface Member {
  readonly peerId: string
  readonly name: string
  readonly joinedAt: number
  /** The record this cloud peer signed for it. */
  readonly membership: Uint8Array
  readonly lastSeen: number | null
  readonly revokedAt: number | null
  /** Why it was revoked; empty while it is a member. */
  readonly reason: string
}

const COLUMNS = `peer_id AS peerId, name, joined_at AS joinedAt, membership, last_seen AS lastSeen,
  revoked_at AS revokedAt, reason`

/** The devices that joined, and those that were shown out. */
export class Members {
  readonly #db: Database
  readonly #clock: Clock

  constructor(db: Database, clock: Clock) {
    this.#db = db
    this.#clock = clock
  }

  /** Everyone who ever joined, oldest first. */
  all(): readonly Member[] {
    return this.#db
      .prepare(`SELECT ${COLUMNS} FROM member ORDER BY joined_at, peer_id`)
      .all() as Member[]
  }

  /** Members in good standing. */
  active(): readonly Member[] {
    return this.all().filter((member) => member.revokedAt === null)
  }

  get(peerId: string): Member | undefined {
    return this.#db.prepare(`SELECT ${COLUMNS} FROM member WHERE peer_id = ?`).get(peerId) as
      | Member
      | undefined
  }

  isActive(peerId: string): boolean {
    return this.get(peerId)?.revokedAt === null
  }

  /** A free name like `wanted`, since two devices of one name would be taken for each other on a screen. */
  freeName(wanted: string, peerId: string): string {
    const taken = new Set(
      this.all()
        .filter((member) => member.peerId !== peerId)
        .map((member) => member.name),
    )
    let name = wanted
    for (let n = 2; taken.has(name); n++) name = `${wanted}-${n}`
    return name
  }

  /** Adds a device, or replaces its record if it joined before. A revoked one stays out. */
  add(member: { readonly peerId: string; readonly name: string; readonly membership: Uint8Array }) {
    this.#db
      .prepare(
        `INSERT INTO member (peer_id, name, joined_at, membership) VALUES (:peerId, :name, :at, :membership)
         ON CONFLICT (peer_id) DO UPDATE SET name = excluded.name, membership = excluded.membership`,
      )
      .run({ ...member, at: this.#clock.now() })
  }

  seen(peerId: string): void {
    this.#db
      .prepare('UPDATE member SET last_seen = ? WHERE peer_id = ?')
      .run(this.#clock.now(), peerId)
  }

  revoke(peerId: string, reason: string): void {
    this.#db
      .prepare(
        'UPDATE member SET revoked_at = ?, reason = ? WHERE peer_id = ? AND revoked_at IS NULL',
      )
      .run(this.#clock.now(), reason, peerId)
  }
}
