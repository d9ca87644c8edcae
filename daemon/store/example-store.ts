import { type Clock, createBreather, type Database, inTransaction } from '#base'
import type { CollectedExample, Example, Use } from '#learning/data'
import type { DatasetInfo } from '#protocols/api'

interface ExampleRow {
  readonly position: number
  readonly id: string
  readonly domain: string | null
  readonly task: string | null
  readonly instruction: string
  readonly input: string
  readonly output: string
  readonly answers: string | null
}

/** Rows read at a time. */
const PAGE = 1_000

/** The owner's rows. They are read by training and evaluation on this device and by nothing else. */
export class ExampleStore {
  readonly #db: Database
  readonly #clock: Clock

  constructor(db: Database, clock: Clock) {
    this.#db = db
    this.#clock = clock
  }

  /** Adds all of an import or nothing. @throws CotuneError `DISK_FULL` */
  add(dataset: string, source: string, examples: readonly CollectedExample[]): DatasetInfo {
    return inTransaction(this.#db, () => {
      this.#db
        .prepare(
          `INSERT INTO dataset (name, source, imported_at) VALUES (:dataset, :source, :now)
           ON CONFLICT (name) DO UPDATE SET imported_at = :now, source = CASE
             WHEN ', ' || source || ', ' LIKE '%, ' || :source || ', %' THEN source ELSE source || ', ' || :source END`,
        )
        .run({ dataset, source, now: this.#clock.now() })
      const insert = this.#db.prepare(
        `INSERT INTO example (dataset, use, digest, id, domain, task, instruction, input, output, answers)
         VALUES (:dataset, :use, :digest, :id, :domain, :task, :instruction, :input, :output, :answers)`,
      )
      for (const { example, digest, use } of examples) {
        const { domain = null, task = null, references, ...text } = example
        const answers = references ? JSON.stringify(references) : null
        insert.run({ ...text, domain, task, dataset, use, digest, answers })
      }
      return this.#dataset(dataset)
    })
  }

  isKnown(digest: string): boolean {
    return this.#db.prepare('SELECT 1 FROM example WHERE digest = ?').get(digest) !== undefined
  }

  /** In the order of import, at most `limit`. Many take a while, in which the event loop has its turns. */
  async read(use: Use, limit = Number.POSITIVE_INFINITY): Promise<readonly Example[]> {
    const select = this.#db.prepare(
      `SELECT position, id, domain, task, instruction, input, output, answers FROM example
       WHERE use = ? AND position > ? ORDER BY position LIMIT ?`,
    )
    const breathe = createBreather()
    const examples: Example[] = []
    let last = 0
    for (;;) {
      const page = select.all(use, last, Math.min(PAGE, limit - examples.length)) as ExampleRow[]
      for (const row of page) examples.push(toExample(row))
      last = page.at(-1)?.position ?? last
      if (page.length < PAGE) return examples
      await breathe()
    }
  }

  count(use: Use): number {
    return Number(this.#db.prepare('SELECT count(*) FROM example WHERE use = ?').pluck().get(use))
  }

  datasets(): readonly DatasetInfo[] {
    return this.#db
      .prepare(
        `SELECT name, source, imported_at AS importedAt,
                count(digest) FILTER (WHERE use = 'train') AS train,
                count(digest) FILTER (WHERE use = 'evaluation') AS evaluation
         FROM dataset LEFT JOIN example ON example.dataset = name GROUP BY name ORDER BY name`,
      )
      .all() as DatasetInfo[]
  }

  #dataset(name: string): DatasetInfo {
    const found = this.datasets().find((dataset) => dataset.name === name)
    if (!found) throw new Error(`dataset ${name} vanished inside its own transaction`)
    return found
  }
}

function toExample({ position: _, domain, task, answers, ...text }: ExampleRow): Example {
  return {
    ...text,
    ...(domain === null ? {} : { domain }),
    ...(task === null ? {} : { task }),
    ...(answers === null ? {} : { references: JSON.parse(answers) as string[] }),
  }
}
