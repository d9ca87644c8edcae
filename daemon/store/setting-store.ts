import { type Database, inTransaction } from '#base'

/** Small values by name. */
export class SettingStore {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  get(name: string): string | undefined {
    const value = this.#db.prepare('SELECT value FROM setting WHERE name = ?').pluck().get(name)
    return value as string | undefined
  }

  set(values: Readonly<Record<string, string>>): void {
    inTransaction(this.#db, () => {
      const write = this.#db.prepare('INSERT OR REPLACE INTO setting (name, value) VALUES (?, ?)')
      for (const [name, value] of Object.entries(values)) write.run(name, value)
    })
  }

  /** The values that are digests of files. */
  blobs(): readonly string[] {
    return this.#db
      .prepare('SELECT value FROM setting JOIN blob ON blob.digest = value')
      .pluck()
      .all() as string[]
  }

  /** Counts up, to `atLeast` if that is more, and returns the new value, which is on disk: it is never given out twice. */
  next(name: string, atLeast: number): number {
    return inTransaction(this.#db, () => {
      const next = Math.max(atLeast, Number(this.get(name) ?? 0) + 1)
      this.#db
        .prepare('INSERT OR REPLACE INTO setting (name, value) VALUES (?, ?)')
        .run(name, String(next))
      return next
    })
  }
}
