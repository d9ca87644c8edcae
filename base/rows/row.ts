/** One row of somebody's table: where it stands, and its columns as they were read. */
export interface Row {
  /** Line in the file, from 1; for a query the number of the row in its result. */
  readonly line: number
  readonly columns: Readonly<Record<string, unknown>>
}

/** A row that could not be read, where reading may go on behind it. */
export interface BrokenRow {
  readonly line: number
  readonly error: Error
}

export interface RowSource {
  /** Ends in `.jsonl`, `.ndjson`, `.json` (one object a line) or `.csv`; any SQLite file when `query` is given. */
  readonly path: string
  /** A SELECT, run on the file opened read-only. */
  readonly query?: string
  /** Longest line that is read, in characters; 1,000,000 unless told. */
  readonly maxLineCharacters?: number
}
