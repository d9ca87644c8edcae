import { type Clock, CotuneError, type Database, inTransaction } from '#base'

export type ContributionState = 'offered' | 'received' | 'merged' | 'refused'

/** What a device offered for a round and what became of it. */
export interface Contribution {
  readonly round: number
  readonly device: string
  readonly state: ContributionState
  /** Digest of the sealed update. */
  readonly blob: string
  readonly sizeBytes: number
  readonly offeredAt: number
  readonly receivedAt: number | null
  readonly examples: number | null
  readonly reason: string
}

export interface Offer {
  readonly round: number
  readonly device: string
  readonly blob: string
  readonly sizeBytes: number
}

/** What the verified update says of itself. */
export interface Acceptance {
  readonly round: number
  readonly device: string
  readonly blob: string
  /** Grows with every update a device seals; a replay has an old one. */
  readonly counter: number
  readonly examples: number
}

const COLUMNS = `round, device, state, blob, size_bytes AS sizeBytes, offered_at AS offeredAt,
  received_at AS receivedAt, examples, reason`

/** Offers and updates: one a device and round. */
export class Contributions {
  readonly #db: Database
  readonly #clock: Clock

  constructor(db: Database, clock: Clock) {
    this.#db = db
    this.#clock = clock
  }

  of(round: number): readonly Contribution[] {
    return this.#db
      .prepare(`SELECT ${COLUMNS} FROM contribution WHERE round = ? ORDER BY device`)
      .all(round) as Contribution[]
  }

  get(round: number, device: string): Contribution | undefined {
    return this.#db
      .prepare(`SELECT ${COLUMNS} FROM contribution WHERE round = ? AND device = ?`)
      .get(round, device) as Contribution | undefined
  }

  /** Those that will be or were merged, in the order in which they are merged. */
  received(round: number): readonly Contribution[] {
    return this.of(round).filter(({ state }) => state === 'received' || state === 'merged')
  }

  /** Offers whose update has not been pulled yet. */
  pending(round: number): readonly Contribution[] {
    return this.of(round).filter(({ state }) => state === 'offered')
  }

  /**
   * Notes an offer, which replaces an earlier one of the device unless that was received.
   * @returns whether its update should be pulled
   */
  offer(offer: Offer): boolean {
    const { changes } = this.#db
      .prepare(
        `INSERT INTO contribution (round, device, state, blob, size_bytes, offered_at)
         VALUES (:round, :device, 'offered', :blob, :sizeBytes, :at)
         ON CONFLICT (round, device) DO UPDATE
         SET state = 'offered', blob = excluded.blob, size_bytes = excluded.size_bytes, reason = ''
         WHERE state IN ('offered', 'refused') AND blob <> excluded.blob`,
      )
      .run({ ...offer, at: this.#clock.now() })
    return changes > 0
  }

  /**
   * Counts a verified update, once: the round must be collecting, the device must not have one in, the counter must be new.
   *
   * @throws CotuneError UPDATE_LATE, UPDATE_DUPLICATE, UPDATE_REPLAYED
   */
  accept(update: Acceptance): void {
    inTransaction(this.#db, () => {
      const { round, device, counter } = update
      if (!this.#collecting(round))
        throw refusal('UPDATE_LATE', `Round ${round} is closed.`, update)
      const known = this.get(round, device)
      if (known && known.state !== 'offered' && known.state !== 'refused')
        throw refusal('UPDATE_DUPLICATE', `Round ${round} has an update of ${device}.`, update)
      if (counter <= this.counterOf(device))
        throw refusal('UPDATE_REPLAYED', `${device} sent counter ${counter} before.`, update)
      this.#db
        .prepare(
          `UPDATE contribution SET state = 'received', received_at = :at, examples = :examples, reason = ''
           WHERE round = :round AND device = :device AND blob = :blob`,
        )
        .run({ ...update, at: this.#clock.now() })
      this.#db
        .prepare(
          `INSERT INTO sender (device, counter) VALUES (?, ?)
           ON CONFLICT (device) DO UPDATE SET counter = excluded.counter`,
        )
        .run(device, counter)
    })
  }

  /** @param reason the code of an error */
  refuse(round: number, device: string, reason: string): void {
    this.#db
      .prepare(
        `UPDATE contribution SET state = 'refused', reason = ? WHERE round = ? AND device = ? AND state = 'offered'`,
      )
      .run(reason, round, device)
  }

  /** Takes out an update that was received but can no longer be read; `reason` is the code of an error. */
  exclude(round: number, device: string, reason: string): void {
    this.#db
      .prepare(
        `UPDATE contribution SET state = 'refused', reason = ? WHERE round = ? AND device = ? AND state = 'received'`,
      )
      .run(reason, round, device)
  }

  /** The highest counter accepted from a device; 0 before the first. */
  counterOf(device: string): number {
    const counter = this.#db
      .prepare('SELECT counter FROM sender WHERE device = ?')
      .pluck()
      .get(device)
    return typeof counter === 'number' ? counter : 0
  }

  #collecting(round: number): boolean {
    return (
      this.#db
        .prepare("SELECT 1 FROM round WHERE round = ? AND phase = 'collecting'")
        .get(round) !== undefined
    )
  }
}

function refusal(
  code: 'UPDATE_LATE' | 'UPDATE_DUPLICATE' | 'UPDATE_REPLAYED',
  message: string,
  { round, device }: Acceptance,
): CotuneError {
  return new CotuneError(code, message, {
    hint: 'The update is not counted; the device takes part again in the next round.',
    data: { round, device },
  })
}
