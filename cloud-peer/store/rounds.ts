import { type Clock, CotuneError, type Database, inTransaction } from '#base'
import type { AggregationStrategy } from '#learning/aggregate'

export type StoredPhase = 'collecting' | 'aggregating' | 'tuning' | 'published' | 'aborted'

/** A try at a round. */
export interface RoundRow {
  readonly round: number
  readonly attempt: number
  readonly phase: StoredPhase
  readonly quorum: number
  readonly strategy: AggregationStrategy
  readonly baseDigest: string
  /** Of the shared adapter that updates are deltas to; '' before the first version. */
  readonly adapterDigest: string
  readonly openedAt: number
  readonly deadline: number
  readonly finishedAt: number | null
  readonly reason: string
  readonly mergedDigest: string | null
  readonly energyDropped: number | null
}

export interface OpenRound {
  readonly round: number
  readonly quorum: number
  readonly strategy: AggregationStrategy
  readonly baseDigest: string
  readonly adapterDigest: string
  readonly deadline: number
}

/** What a round leaves behind. */
export interface PublishedFiles {
  /** Of the shared adapter's file, and of the blob that devices pull it as. */
  readonly digest: string
  readonly blob: string
  readonly sizeBytes: number
  readonly llmState: string | null
}

const COLUMNS = `round, attempt, phase, quorum, strategy, base_digest AS baseDigest,
  adapter_digest AS adapterDigest, opened_at AS openedAt, deadline, finished_at AS finishedAt, reason,
  merged_digest AS mergedDigest, energy_dropped AS energyDropped`

/** Rounds and their phases. Each step is one transaction: after a crash the row says what was done, and the next step is repeated. */
export class Rounds {
  readonly #db: Database
  readonly #clock: Clock

  constructor(db: Database, clock: Clock) {
    this.#db = db
    this.#clock = clock
  }

  /** The try that is neither published nor aborted. */
  unfinished(): RoundRow | undefined {
    return this.#db
      .prepare(`SELECT ${COLUMNS} FROM round WHERE phase NOT IN ('published', 'aborted')`)
      .get() as RoundRow | undefined
  }

  /** The newest try of all. */
  latest(): RoundRow | undefined {
    return this.#db
      .prepare(`SELECT ${COLUMNS} FROM round ORDER BY round DESC, attempt DESC LIMIT 1`)
      .get() as RoundRow | undefined
  }

  /** Finished tries, oldest first. */
  finished(): readonly RoundRow[] {
    return this.#db
      .prepare(
        `SELECT ${COLUMNS} FROM round WHERE phase IN ('published', 'aborted') ORDER BY round, attempt`,
      )
      .all() as RoundRow[]
  }

  /** Begins the next try at `open.round`. */
  open(open: OpenRound): RoundRow {
    this.#db
      .prepare(
        `INSERT INTO round (round, attempt, phase, quorum, strategy, base_digest, adapter_digest, opened_at, deadline)
         SELECT :round, coalesce(max(attempt), 0) + 1, 'collecting', :quorum, :strategy, :baseDigest,
                :adapterDigest, :at, :deadline
         FROM round WHERE round = :round`,
      )
      .run({ ...open, at: this.#clock.now() })
    return this.#current()
  }

  /** No more updates: what has been received is what will be merged. */
  beginAggregation(): RoundRow {
    return this.#advance('collecting', "phase = 'aggregating'", {})
  }

  beginTuning(mergedDigest: string, energyDropped: number): RoundRow {
    return this.#advance(
      'aggregating',
      "phase = 'tuning', merged_digest = :mergedDigest, energy_dropped = :energyDropped",
      { mergedDigest, energyDropped },
    )
  }

  /** The round's version, its contributions and its end, all or nothing. */
  publish(files: PublishedFiles): RoundRow {
    return inTransaction(this.#db, () => {
      const { round, attempt, baseDigest } = this.#current()
      this.#advance('tuning', "phase = 'published', finished_at = :at", { at: this.#clock.now() })
      this.#db
        .prepare(
          `INSERT INTO version (version, base_digest, digest, blob, size_bytes, llm_state, published_at)
           VALUES (:round, :baseDigest, :digest, :blob, :sizeBytes, :llmState, :at)`,
        )
        .run({ ...files, round, baseDigest, at: this.#clock.now() })
      this.#db
        .prepare("UPDATE contribution SET state = 'merged' WHERE round = ? AND state = 'received'")
        .run(round)
      return this.#get(round, attempt)
    })
  }

  /** Gives up this try; the updates received for the round stay. */
  abort(reason: string): RoundRow {
    const { phase } = this.#current()
    return this.#advance(phase, "phase = 'aborted', finished_at = :at, reason = :reason", {
      at: this.#clock.now(),
      reason,
    })
  }

  #current(): RoundRow {
    const row = this.unfinished()
    if (!row)
      throw new CotuneError('ROUND_NOT_OPEN', 'No round is open.', {
        hint: 'Begin rounds with `cotune round start`.',
      })
    return row
  }

  #advance(from: StoredPhase, set: string, values: Record<string, unknown>): RoundRow {
    const { round, attempt } = this.#current()
    const { changes } = this.#db
      .prepare(
        `UPDATE round SET ${set} WHERE round = :round AND attempt = :attempt AND phase = :from`,
      )
      .run({ ...values, round, attempt, from })
    if (changes !== 1)
      throw new CotuneError('ROUND_PHASE', `Round ${round} is not ${from}.`, {
        hint: 'This is a fault of Cotune; report it with the log.',
        data: { round, attempt, from },
      })
    return this.#get(round, attempt)
  }

  #get(round: number, attempt: number): RoundRow {
    return this.#db
      .prepare(`SELECT ${COLUMNS} FROM round WHERE round = ? AND attempt = ?`)
      .get(round, attempt) as RoundRow
  }
}
