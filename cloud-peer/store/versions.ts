import type { Database } from '#base'

/** A published shared adapter of the proxy model, with the large model's adapter after the same round. */
export interface Version {
  /** The round that made it. */
  readonly version: number
  /** Of the proxy model's base that it adapts. */
  readonly baseDigest: string
  /** SHA-256 of the adapter's file. */
  readonly digest: string
  /** Id of the blob that devices pull. */
  readonly blob: string
  readonly sizeBytes: number
  /** Digest of the file with the large model's adapter; null while it is as shipped. */
  readonly llmState: string | null
  readonly publishedAt: number
}

const COLUMNS =
  'version, base_digest AS baseDigest, digest, blob, size_bytes AS sizeBytes, llm_state AS llmState, published_at AS publishedAt'

/** Written by Rounds.publish; read here. */
export class Versions {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  latest(): Version | undefined {
    return this.#db.prepare(`SELECT ${COLUMNS} FROM version ORDER BY version DESC LIMIT 1`).get() as
      | Version
      | undefined
  }

  /** The newest `count`, newest first. */
  recent(count: number): readonly Version[] {
    return this.#db
      .prepare(`SELECT ${COLUMNS} FROM version ORDER BY version DESC LIMIT ?`)
      .all(count) as Version[]
  }

  get(version: number): Version | undefined {
    return this.#db.prepare(`SELECT ${COLUMNS} FROM version WHERE version = ?`).get(version) as
      | Version
      | undefined
  }
}
