import { type Clock, type Database, inTransaction } from '#base'

export interface JoinedRun {
  readonly runId: string
  readonly cloudId: string
  /** The membership as the cloud peer signed it. */
  readonly record: Uint8Array
  /** Multiaddrs where the cloud peer was. */
  readonly addresses: readonly string[]
}

/** The one run this device belongs to. */
export class MembershipStore {
  readonly #db: Database
  readonly #clock: Clock

  constructor(db: Database, clock: Clock) {
    this.#db = db
    this.#clock = clock
  }

  read(): JoinedRun | undefined {
    const row = this.#db
      .prepare('SELECT run_id AS runId, cloud_id AS cloudId, record, addresses FROM membership')
      .get()
    if (row === undefined) return undefined
    const { addresses, ...run } = row as Omit<JoinedRun, 'addresses'> & {
      readonly addresses: string
    }
    return { ...run, addresses: JSON.parse(addresses) as string[] }
  }

  write(run: JoinedRun): void {
    inTransaction(this.#db, () =>
      this.#db
        .prepare(
          'INSERT OR REPLACE INTO membership VALUES (1, :runId, :cloudId, :record, :addresses, :now)',
        )
        .run({ ...run, addresses: JSON.stringify(run.addresses), now: this.#clock.now() }),
    )
  }
}
