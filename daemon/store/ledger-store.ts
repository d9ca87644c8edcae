import { type Database, inTransaction } from '#base'
import type { LedgerEntry } from '#protocols/api'

/** What left this device, append-only. An entry is written before the first byte goes, so it may overstate, never understate. */
export class LedgerStore {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  append(entry: LedgerEntry): void {
    inTransaction(this.#db, () =>
      this.#db
        .prepare(
          `INSERT INTO ledger (at, recipient, kind, round, bytes, sha256, sealed)
           VALUES (:at, :to, :kind, :round, :bytes, :sha256, :sealed)`,
        )
        .run({ ...entry, sealed: entry.sealed ? 1 : 0 }),
    )
  }

  /** Whether this content was noted for this recipient already: repeating an offer is not another disclosure. */
  has(to: string, sha256: string): boolean {
    const found = this.#db
      .prepare('SELECT 1 FROM ledger WHERE recipient = ? AND sha256 = ?')
      .get(to, sha256)
    return found !== undefined
  }

  /** Newest first. */
  list(limit = 1_000): readonly LedgerEntry[] {
    const rows = this.#db
      .prepare(
        `SELECT at, recipient AS "to", kind, round, bytes, sha256, sealed FROM ledger
         ORDER BY sequence DESC LIMIT ?`,
      )
      .all(limit)
    return (rows as (Omit<LedgerEntry, 'sealed'> & { readonly sealed: number })[]).map((row) => ({
      ...row,
      sealed: row.sealed === 1,
    }))
  }

  bytes(): number {
    return Number(this.#db.prepare('SELECT coalesce(sum(bytes), 0) FROM ledger').pluck().get())
  }
}
