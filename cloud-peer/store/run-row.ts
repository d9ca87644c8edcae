import { randomUUID } from 'node:crypto'
import type { Clock, Database } from '#base'
import type { AggregationStrategy } from '#learning/aggregate'

/** How rounds are run. */
export interface RoundSettings {
  /** A round can be merged once this many updates are in. */
  readonly quorum: number
  readonly deadlineMs: number
  readonly strategy: AggregationStrategy
}

export interface Run extends RoundSettings {
  readonly id: string
  readonly createdAt: number
  readonly running: boolean
  /** How many rounds were asked for since the run began. */
  readonly rounds: number
}

const COLUMNS =
  'id, created_at AS createdAt, running, rounds, quorum, deadline_ms AS deadlineMs, strategy'

/** The run this cloud peer leads. */
export class RunRow {
  readonly #db: Database
  readonly #clock: Clock

  constructor(db: Database, clock: Clock) {
    this.#db = db
    this.#clock = clock
  }

  /** The run; the first call makes it, with the given settings. */
  open(defaults: RoundSettings): Run {
    this.#db
      .prepare(
        `INSERT INTO run (only, id, created_at, quorum, deadline_ms, strategy)
         VALUES (1, :id, :at, :quorum, :deadlineMs, :strategy) ON CONFLICT DO NOTHING`,
      )
      .run({ id: `run-${randomUUID()}`, at: this.#clock.now(), ...defaults })
    return this.get()
  }

  get(): Run {
    const row = this.#db.prepare(`SELECT ${COLUMNS} FROM run`).get() as Omit<Run, 'running'> & {
      running: number
    }
    return { ...row, running: row.running === 1 }
  }

  /** Asks for `rounds` in all and lets the runner work. */
  begin(rounds: number, settings: RoundSettings): Run {
    this.#db
      .prepare(
        `UPDATE run SET running = 1, rounds = :rounds, quorum = :quorum, deadline_ms = :deadlineMs,
                        strategy = :strategy`,
      )
      .run({ rounds, ...settings })
    return this.get()
  }

  /** Lets the runner rest; what it has is kept. */
  pause(): void {
    this.#db.prepare('UPDATE run SET running = 0').run()
  }
}
