import { type Clock, createBreather, type Database, inTransaction } from '#base'
import type { Example } from '#learning/data'
import type { DatasetInfo } from '#protocols/api'

/** A public example and whether it is kept for evaluation. */
export interface StoredExample {
  readonly example: Example
  readonly heldOut: boolean
}

interface ExampleRow {
  readonly id: string
  readonly domain: string
  readonly task: string
  readonly instruction: string
  readonly input: string
  readonly output: string
  readonly answers: string | null
}

/** Rows read at a time. */
const PAGE = 1_000

/** The public examples: what the large model and the proxy model are tuned and scored on. */
export class Examples {
  readonly #db: Database
  readonly #clock: Clock

  constructor(db: Database, clock: Clock) {
    this.#db = db
    this.#clock = clock
  }

  /**
   * Adds rows of a dataset, all or none; rows that are known by their id are left as they are.
   * @returns how many were new
   */
  add(dataset: string, source: string, rows: readonly StoredExample[]): number {
    return inTransaction(this.#db, () => {
      this.#db
        .prepare(
          `INSERT INTO dataset (name, source, imported_at) VALUES (?, ?, ?)
           ON CONFLICT (name) DO UPDATE SET source = excluded.source, imported_at = excluded.imported_at`,
        )
        .run(dataset, source, this.#clock.now())
      const insert = this.#db.prepare(
        `INSERT INTO example (id, dataset, held_out, domain, task, instruction, input, output, answers)
         VALUES (:id, :dataset, :heldOut, :domain, :task, :instruction, :input, :output, :answers)
         ON CONFLICT (id) DO NOTHING`,
      )
      let added = 0
      for (const { example, heldOut } of rows)
        added += insert.run(toRow(example, dataset, heldOut)).changes
      return added
    })
  }

  training(): Promise<readonly Example[]> {
    return this.#read(0)
  }

  /** Never trained on. */
  heldOut(): Promise<readonly Example[]> {
    return this.#read(1)
  }

  /** How many may be trained on. */
  count(): number {
    return this.#db
      .prepare('SELECT count(*) FROM example WHERE held_out = 0')
      .pluck()
      .get() as number
  }

  has(id: string): boolean {
    return this.#db.prepare('SELECT 1 FROM example WHERE id = ?').get(id) !== undefined
  }

  datasets(): readonly DatasetInfo[] {
    return this.#db
      .prepare(
        `SELECT name, source, imported_at AS importedAt,
                count(*) FILTER (WHERE held_out = 0) AS train, count(*) FILTER (WHERE held_out = 1) AS evaluation
         FROM dataset JOIN example ON example.dataset = name GROUP BY name ORDER BY name`,
      )
      .all() as DatasetInfo[]
  }

  /** Many take a while, in which the event loop has its turns. */
  async #read(heldOut: 0 | 1): Promise<readonly Example[]> {
    const select = this.#db.prepare(
      `SELECT id, domain, task, instruction, input, output, answers FROM example
       WHERE held_out = ? AND id > ? ORDER BY id LIMIT ?`,
    )
    const breathe = createBreather()
    const examples: Example[] = []
    for (;;) {
      // No row is without an id.
      const page = select.all(heldOut, examples.at(-1)?.id ?? '', PAGE) as ExampleRow[]
      for (const row of page) examples.push(fromRow(row))
      if (page.length < PAGE) return examples
      await breathe()
    }
  }
}

function toRow(example: Example, dataset: string, heldOut: boolean) {
  const { id, domain = '', task = '', instruction, input, output, references } = example
  return {
    id,
    dataset,
    heldOut: heldOut ? 1 : 0,
    domain,
    task,
    instruction,
    input,
    output,
    answers: references ? JSON.stringify(references) : null,
  }
}

function fromRow({ answers, domain, task, ...text }: ExampleRow): Example {
  return {
    ...text,
    ...(domain === '' ? {} : { domain }),
    ...(task === '' ? {} : { task }),
    ...(answers === null ? {} : { references: JSON.parse(answers) as string[] }),
  }
}
