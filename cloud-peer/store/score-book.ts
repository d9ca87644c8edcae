import type { Clock, Database } from '#base'
import type { Scores } from '#protocols/api'

export interface ScoreRow extends Scores {
  readonly at: number
  readonly model: 'llm' | 'dpm'
  readonly label: 'before' | 'after'
  readonly round: number | null
}

/** Scores as they were measured. */
export class ScoreBook {
  readonly #db: Database
  readonly #clock: Clock

  constructor(db: Database, clock: Clock) {
    this.#db = db
    this.#clock = clock
  }

  add(row: Omit<ScoreRow, 'at'>): void {
    this.#db
      .prepare(
        `INSERT INTO score (at, model, label, round, em, rouge_l, examples, perplexity_per_byte)
         VALUES (:at, :model, :label, :round, :em, :rougeL, :examples, :perplexityPerByte)`,
      )
      .run({ ...row, at: this.#clock.now() })
  }

  all(): readonly ScoreRow[] {
    return this.#db
      .prepare(
        `SELECT at, model, label, round, em, rouge_l AS rougeL, examples,
                perplexity_per_byte AS perplexityPerByte FROM score ORDER BY at`,
      )
      .all() as ScoreRow[]
  }
}
