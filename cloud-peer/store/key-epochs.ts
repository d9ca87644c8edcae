import type { Clock, Database } from '#base'

/** A key pair that devices seal to for a while. The private key is a file, not a column. */
export interface KeyEpoch {
  readonly epoch: number
  readonly keyId: string
  readonly publicKey: Uint8Array
  /** Name of the file with the private key. */
  readonly file: string
  readonly notBefore: number
  readonly notAfter: number
  /** When the private key was deleted; null while it is kept. */
  readonly deletedAt: number | null
}

const COLUMNS = `epoch, key_id AS keyId, public_key AS publicKey, file, not_before AS notBefore,
  not_after AS notAfter, deleted_at AS deletedAt`

export class KeyEpochs {
  readonly #db: Database
  readonly #clock: Clock

  constructor(db: Database, clock: Clock) {
    this.#db = db
    this.#clock = clock
  }

  add(epoch: Omit<KeyEpoch, 'epoch' | 'deletedAt'>): KeyEpoch {
    this.#db
      .prepare(
        `INSERT INTO key_epoch (key_id, public_key, file, not_before, not_after)
         VALUES (:keyId, :publicKey, :file, :notBefore, :notAfter)`,
      )
      .run(epoch)
    return this.kept().at(-1) as KeyEpoch
  }

  /** Epochs whose private key still exists, oldest first. */
  kept(): readonly KeyEpoch[] {
    return this.#db
      .prepare(`SELECT ${COLUMNS} FROM key_epoch WHERE deleted_at IS NULL ORDER BY epoch`)
      .all() as KeyEpoch[]
  }

  markDeleted(keyId: string): void {
    this.#db
      .prepare('UPDATE key_epoch SET deleted_at = ? WHERE key_id = ?')
      .run(this.#clock.now(), keyId)
  }
}
