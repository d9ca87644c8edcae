import { type Clock, type Database, equalBytes, inTransaction } from '#base'

type RoundRowPhase = 'open' | 'tuned' | 'offered' | 'received' | 'closed' | 'refused'

/** What a cloud peer asks for when it opens a round. */
export interface RoundTerms {
  readonly runId: string
  readonly round: number
  readonly rounds: number
  /** Digest of the proxy model's base. */
  readonly baseDigest: string
  /** Blob of the version to tune from; '' in the first round. */
  readonly startVersion: string
  /** Milliseconds since the epoch; tells attempts at the same round apart. */
  readonly openedAt: number
  readonly deadline: number
  readonly quorum: number
  /** X25519, 32 bytes: what the update is sealed to. */
  readonly sealingKey: Uint8Array
  readonly maxUpdateBytes: number
}

/** What tuning left on disk. */
export interface TunedRound {
  /** Digest of the small model that learned. */
  readonly slmDigest: string
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

const COLUMNS = `run_id AS runId, round, rounds, phase, base_digest AS baseDigest, start_version AS startVersion,
  opened_at AS openedAt, deadline, quorum, sealing_key AS sealingKey, max_update_bytes AS maxUpdateBytes, slm_state AS slmState, domain, delta, sealed,
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
   * Takes note of an opened round. Another attempt at it from the same base keeps what was tuned, sealed anew if the key changed;
   * one from another base starts anew.
   */
  open(terms: RoundTerms): RoundRow {
    return inTransaction(this.#db, () => {
      const known = this.find(terms.runId, terms.round)
      const isSameBase =
        known?.baseDigest === terms.baseDigest && known.startVersion === terms.startVersion
      if (known && isSameBase) this.#reopen(known, terms)
      else this.#insert(terms)
      return this.#get(terms.runId, terms.round)
    })
  }

  #insert(terms: RoundTerms): void {
    this.#db
      .prepare(
        `INSERT OR REPLACE INTO round (run_id, round, rounds, phase, base_digest, start_version, opened_at, deadline, quorum,
           sealing_key, max_update_bytes)
         VALUES (:runId, :round, :rounds, 'open', :baseDigest, :startVersion, :openedAt, :deadline, :quorum,
           :sealingKey, :maxUpdateBytes)`,
      )
      .run(terms)
  }

  #reopen(known: RoundRow, terms: RoundTerms): void {
    const isUnsent = known.phase === 'open' || known.phase === 'refused'
    const hasOldSeal = !isUnsent && known.phase !== 'received' && !isSameKey(known, terms)
    const phase =
      hasOldSeal || (known.delta !== null && isUnsent) ? 'tuned' : isUnsent ? 'open' : known.phase
    this.#db
      .prepare(
        `UPDATE round SET rounds = :rounds, opened_at = :openedAt, deadline = :deadline, quorum = :quorum, phase = :phase,
           sealing_key = :sealingKey, max_update_bytes = :maxUpdateBytes, reason = '', finished_at = NULL,
           sealed = CASE WHEN :phase IN ('open', 'tuned') THEN NULL ELSE sealed END
         WHERE run_id = :runId AND round = :round`,
      )
      .run({ ...terms, phase })
  }

  /** The blobs of `result` must be on disk. */
  tuned(runId: string, round: number, result: TunedRound): RoundRow {
    return this.#update(
      runId,
      round,
      `phase = 'tuned', slm_digest = :slmDigest, slm_state = :slmState, domain = :domain, delta = :delta, examples = :examples`,
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

  /** The round that this device is still busy with. */
  underWay(runId: string): RoundRow | undefined {
    const [newest] = this.list(1)
    const isBusy = newest && ['open', 'tuned', 'offered'].includes(newest.phase)
    return isBusy && newest.runId === runId ? newest : undefined
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

  /** The newest round that these models tuned and that precedes `before`: its state is where learning goes on. */
  lastTuned(
    models: { readonly baseDigest: string; readonly slmDigest: string },
    before?: { readonly runId: string; readonly round: number },
  ): RoundRow | undefined {
    return this.#db
      .prepare(
        `SELECT ${COLUMNS} FROM round WHERE base_digest = :baseDigest AND slm_digest = :slmDigest AND slm_state IS NOT NULL
           AND NOT (run_id = :runId AND round >= :round)
         ORDER BY opened_at DESC, round DESC LIMIT 1`,
      )
      .get({ ...models, runId: before?.runId ?? '', round: before?.round ?? 0 }) as
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

function isSameKey(a: RoundTerms, b: RoundTerms): boolean {
  return equalBytes(a.sealingKey, b.sealingKey)
}
