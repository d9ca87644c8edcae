import { type Clock, type Database, inTransaction } from '#base'

/** Numbers by name, for people and reports. */
export class MetricStore {
  readonly #db: Database
  readonly #clock: Clock

  constructor(db: Database, clock: Clock) {
    this.#db = db
    this.#clock = clock
  }

  add(
    values: Readonly<Record<string, number>>,
    at: { readonly runId: string; readonly round: number } | undefined,
  ): void {
    inTransaction(this.#db, () => {
      const insert = this.#db.prepare(
        'INSERT INTO metric (at, run_id, round, name, value) VALUES (?, ?, ?, ?, ?)',
      )
      const now = this.#clock.now()
      for (const [name, value] of Object.entries(values)) {
        if (Number.isFinite(value))
          insert.run(now, at?.runId ?? null, at?.round ?? null, name, value)
      }
    })
  }

  /** Of one round, by name; the newest value of each. */
  ofRound(runId: string, round: number): ReadonlyMap<string, number> {
    const rows = this.#db
      .prepare('SELECT name, value FROM metric WHERE run_id = ? AND round = ? ORDER BY sequence')
      .raw()
      .all(runId, round)
    return new Map(rows as [string, number][])
  }
}
