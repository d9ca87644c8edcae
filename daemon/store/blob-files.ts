import {
  type Clock,
  type Content,
  createDigestFiles,
  type Database,
  type DigestFiles,
  inTransaction,
} from '#base'

export type BlobKind = 'slm-state' | 'domain' | 'shared' | 'delta'

/** Adapters: files named by digest, with a row each. The file is durable before its row is written. */
export class BlobFiles {
  readonly #db: Database
  readonly #clock: Clock
  readonly #files: DigestFiles

  constructor(db: Database, clock: Clock, folder: string) {
    this.#db = db
    this.#clock = clock
    this.#files = createDigestFiles(folder)
  }

  /** Resolves to the SHA-256 of `content`. @throws CotuneError `DISK_FULL` */
  async write(kind: BlobKind, content: Content): Promise<string> {
    const parts = content instanceof Uint8Array ? [content] : content
    const digest = await this.#files.write(parts)
    const sizeBytes = parts.reduce((sum, { length }) => sum + length, 0)
    inTransaction(this.#db, () =>
      this.#db
        .prepare('INSERT INTO blob VALUES (?, ?, ?, ?) ON CONFLICT (digest) DO NOTHING')
        .run(digest, kind, sizeBytes, this.#clock.now()),
    )
    return digest
  }

  /** @throws CotuneError `BLOB_MISSING`, `BLOB_CORRUPT` */
  read(digest: string): Promise<Uint8Array> {
    return this.#files.read(digest)
  }

  /** Whether the file is there; it is checked when it is read. */
  has(digest: string): Promise<boolean> {
    return this.#files.has(digest)
  }

  /** Removes what a crash or an old round left: files and rows that nothing refers to. */
  async sweep(alsoKeep: readonly string[]): Promise<number> {
    const keep = inTransaction(this.#db, () => {
      const referred = this.#db
        .prepare(
          `SELECT slm_state FROM round UNION SELECT domain FROM round UNION SELECT delta FROM round
           UNION SELECT digest FROM version`,
        )
        .pluck()
        .all() as (string | null)[]
      const kept = new Set([...referred.filter((digest) => digest !== null), ...alsoKeep])
      const all = this.#db.prepare('SELECT digest FROM blob').pluck().all() as string[]
      const remove = this.#db.prepare('DELETE FROM blob WHERE digest = ?')
      for (const digest of all) if (!kept.has(digest)) remove.run(digest)
      return kept
    })
    return this.#files.sweep(keep)
  }
}
