import { type Clock, type Database, inTransaction } from '#base'

export type RoundRowPhase = 'open' | 'tuned' | 'offered' | 'received' | 'closed' | 'refused'

/** What a cloud peer asks for when it opens a round. */
export interface RoundTerms {
  readonly runId: string
  readonly round: number
  readonly rounds: number
  readonly attempt: number
  /** Digest of the proxy model's base. */
  readonly baseDigest: string
  /** Digest of the shared adapter to tune from; '' in the first round. */
  readonly sharedDigest: string
  /** Milliseconds since the epoch. */
  readonly openedAt: number
  readonly deadline: number
  readonly quorum: number
}

/** What tuning left on disk. */
export interface TunedRound {
  readonly slmState: string
  readonly domain: string
  readonly delta: string
  readonly examples: number
}

export interface RoundRow extends RoundTerms {
  readonly phase: RoundRowPhase
  readonly slmState: string | null
  readonly domain: string | null
  readonly delta: string | null
  /** Id of the sealed blob in the transfer store. */
  readonly sealed: string | null
  readonly sealedBytes: number | null
  readonly examples: number | null
  readonly counter: number | null
  readonly reason: string
  readonly finishedAt: number | null
}

const COLUMNS = `run_id AS runId, round, rounds, attempt, phase, base_digest AS baseDigest, shared_digest AS sharedDigest,
  opened_at AS openedAt, deadline, quorum, slm_state AS slmState, domain, delta, sealed,
  sealed_bytes AS sealedBytes, examples, counter, reason,
  finished_at AS finishedAt`

/** This device's part in each round: the row says where a restart goes on. */
export class RoundStore {
  readonly #db: Database
  readonly #clock: Clock

  constructor(db: Database, clock: Clock) {
    this.#db = db
    this.#clock = clock
  }

  /**
   * Takes note of an opened round. A repeated attempt on the same base keeps what was tuned; one on another base starts anew.
   */
  open(terms: RoundTerms): RoundRow {
    return inTransaction(this.#db, () => {
      const known = this.find(terms.runId, terms.round)
      const sameBase =
        known?.baseDigest === terms.baseDigest && known.sharedDigest === terms.sharedDigest
      if (known && sameBase) {
        this.#db
          .prepare(
            `UPDATE round SET attempt = :attempt, deadline = :deadline, rounds = :rounds, quorum = :quorum,
               opened_at = :openedAt,
               phase = CASE WHEN phase = 'refused' AND slm_state IS NULL THEN 'open' ELSE phase END WHERE run_id = :runId AND round = :round`,
          )
          .run(terms)
      } else {
        this.#db
          .prepare(
            `INSERT OR REPLACE INTO round (run_id, round, rounds, attempt, phase, base_digest, shared_digest, opened_at,
               deadline, quorum)
             VALUES (:runId, :round, :rounds, :attempt, 'open', :baseDigest, :sharedDigest, :openedAt, :deadline, :quorum)`,
          )
          .run(terms)
      }
      return this.#get(terms.runId, terms.round)
    })
  }

  /** The blobs of `result` must be on disk. */
  tuned(runId: string, round: number, result: TunedRound): RoundRow {
    return this.#update(
      runId,
      round,
      `phase = 'tuned', slm_state = :slmState, domain = :domain, delta = :delta, examples = :examples`,
      { ...result },
    )
  }

  /** The sealed blob must be in the transfer store; `counter` is the one inside it. */
  offered(
    runId: string,
    round: number,
    sealed: { readonly blobId: string; readonly sizeBytes: number; readonly counter: number },
  ): RoundRow {
    return this.#update(
      runId,
      round,
      `phase = 'offered', sealed = :blobId, sealed_bytes = :sizeBytes, counter = :counter`,
      sealed,
    )
  }

  received(runId: string, round: number): RoundRow {
    return this.#update(runId, round, `phase = 'received', reason = ''`, {})
  }

  /**
   * The round is over: its version was published. What was only needed to offer it goes, and states older than two rounds.
   */
  closed(runId: string, round: number): RoundRow {
    return inTransaction(this.#db, () => {
      this.#db
        .prepare(
          'UPDATE round SET slm_state = NULL, domain = NULL WHERE run_id = ? AND round <= ? AND finished_at IS NOT NULL',
        )
        .run(runId, round - 2)
      return this.#update(
        runId,
        round,
        `delta = NULL, sealed = NULL, finished_at = :now, phase = CASE WHEN phase = 'refused' THEN phase ELSE 'closed' END`,
        { now: this.#clock.now() },
      )
    })
  }

  refused(runId: string, round: number, reason: string): RoundRow {
    return this.#update(runId, round, `phase = 'refused', reason = :reason, finished_at = :now`, {
      reason,
      now: this.#clock.now(),
    })
  }

  find(runId: string, round: number): RoundRow | undefined {
    return this.#db
      .prepare(`SELECT ${COLUMNS} FROM round WHERE run_id = ? AND round = ?`)
      .get(runId, round) as RoundRow | undefined
  }

  /** Newest first. */
  list(limit = 100): readonly RoundRow[] {
    return this.#db
      .prepare(`SELECT ${COLUMNS} FROM round ORDER BY opened_at DESC, round DESC LIMIT ?`)
      .all(limit) as RoundRow[]
  }

  /** Numbers of the rounds of a run that are not over. */
  unfinished(runId: string): readonly number[] {
    return this.#db
      .prepare(
        'SELECT round FROM round WHERE run_id = ? AND (finished_at IS NULL OR delta IS NOT NULL)',
      )
      .pluck()
      .all(runId) as number[]
  }

  /** The newest round that tuned on this base and precedes `round`: its state is where learning goes on. */
  lastTuned(baseDigest: string, before?: { readonly runId: string; readonly round: number }) {
    return this.#db
      .prepare(
        `SELECT ${COLUMNS} FROM round WHERE base_digest = :baseDigest AND slm_state IS NOT NULL
           AND NOT (run_id = :runId AND round >= :round)
         ORDER BY opened_at DESC, round DESC LIMIT 1`,
      )
      .get({ baseDigest, runId: before?.runId ?? '', round: before?.round ?? 0 }) as
      | RoundRow
      | undefined
  }

  #update(
    runId: string,
    round: number,
    assignments: string,
    values: Readonly<Record<string, unknown>>,
  ): RoundRow {
    return inTransaction(this.#db, () => {
      this.#db
        .prepare(`UPDATE round SET ${assignments} WHERE run_id = :runId AND round = :round`)
        .run({ ...values, runId, round })
      return this.#get(runId, round)
    })
  }

  #get(runId: string, round: number): RoundRow {
    const row = this.find(runId, round)
    if (!row) throw new Error(`round ${round} of ${runId} was never opened`)
    return row
  }
}
