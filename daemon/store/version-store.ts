import { type Clock, type Database, inTransaction } from '#base'
import type { Scores } from '#protocols/api'

export interface VersionRow {
  readonly runId: string
  readonly version: number
  readonly digest: string
  /** In the transfer store. */
  readonly blobId: string
  readonly receivedAt: number
  /** Undefined until it was evaluated here. */
  readonly kept: boolean | undefined
  readonly reason: string
}

const COLUMNS = `run_id AS runId, version, digest, blob_id AS blobId, received_at AS receivedAt, kept, reason`

/** The published shared adapters that arrived. */
export class VersionStore {
  readonly #db: Database
  readonly #clock: Clock

  constructor(db: Database, clock: Clock) {
    this.#db = db
    this.#clock = clock
  }

  /** The blob must be on disk. */
  add(runId: string, version: number, digest: string, blobId: string): VersionRow {
    return inTransaction(this.#db, () => {
      this.#db
        .prepare(
          `INSERT INTO version (run_id, version, digest, blob_id, received_at) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (run_id, version) DO UPDATE SET digest = excluded.digest, blob_id = excluded.blob_id, kept = NULL WHERE digest <> excluded.digest`,
        )
        .run(runId, version, digest, blobId, this.#clock.now())
      return this.#get(runId, version)
    })
  }

  judge(
    runId: string,
    version: number,
    verdict: { readonly kept: boolean; readonly reason: string; readonly scores?: Scores },
  ): VersionRow {
    return inTransaction(this.#db, () => {
      this.#db
        .prepare(
          `UPDATE version SET kept = :kept, reason = :reason, em = coalesce(:em, em), rouge_l = coalesce(:rougeL, rouge_l),
             perplexity_per_byte = coalesce(:perplexity, perplexity_per_byte)
           WHERE run_id = :runId AND version = :version`,
        )
        .run({
          runId,
          version,
          kept: verdict.kept ? 1 : 0,
          reason: verdict.reason,
          em: verdict.scores?.em ?? null,
          rougeL: verdict.scores?.rougeL ?? null,
          perplexity: verdict.scores?.perplexityPerByte ?? null,
        })
      return this.#get(runId, version)
    })
  }

  find(runId: string, version: number): VersionRow | undefined {
    const row = this.#db
      .prepare(`SELECT ${COLUMNS} FROM version WHERE run_id = ? AND version = ?`)
      .get(runId, version)
    return row === undefined ? undefined : toVersion(row)
  }

  /** Digest of the content of a version by its blob; undefined when it is not here. */
  digestOf(blobId: string): string | undefined {
    const digest = this.#db
      .prepare('SELECT digest FROM version WHERE blob_id = ?')
      .pluck()
      .get(blobId)
    return digest as string | undefined
  }

  /** The newest version that arrived. */
  newest(runId: string): VersionRow | undefined {
    const row = this.#db
      .prepare(`SELECT ${COLUMNS} FROM version WHERE run_id = ? ORDER BY version DESC LIMIT 1`)
      .get(runId)
    return row === undefined ? undefined : toVersion(row)
  }

  /** The newest version that was evaluated, kept or not; 0 before the first. */
  judged(runId: string): number {
    const version = this.#db
      .prepare(
        'SELECT coalesce(max(version), 0) FROM version WHERE run_id = ? AND kept IS NOT NULL',
      )
      .pluck()
      .get(runId)
    return Number(version)
  }

  /** The newest version that was kept: what this device answers with. */
  current(runId: string): VersionRow | undefined {
    const row = this.#db
      .prepare(
        `SELECT ${COLUMNS} FROM version WHERE run_id = ? AND kept = 1 ORDER BY version DESC LIMIT 1`,
      )
      .get(runId)
    return row === undefined ? undefined : toVersion(row)
  }

  /** Makes `version` the current one by giving up all newer ones. */
  rollBack(runId: string, version: number, reason: string): void {
    inTransaction(this.#db, () => {
      this.#db
        .prepare('UPDATE version SET kept = 0, reason = ? WHERE run_id = ? AND version > ?')
        .run(reason, runId, version)
      this.#db
        .prepare(`UPDATE version SET kept = 1, reason = ? WHERE run_id = ? AND version = ?`)
        .run(reason, runId, version)
    })
  }

  #get(runId: string, version: number): VersionRow {
    const row = this.find(runId, version)
    if (!row) throw new Error(`version ${version} of ${runId} was never added`)
    return row
  }
}

function toVersion(row: unknown): VersionRow {
  const { kept, ...rest } = row as Omit<VersionRow, 'kept'> & { readonly kept: 0 | 1 | null }
  return { ...rest, kept: kept === null ? undefined : kept === 1 }
}
