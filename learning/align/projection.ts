import type { Tokenizer } from '#learning/text'
import { TokenMap } from './token-map.ts'

/**
 * A sparse row-stochastic matrix W [student tokens, teacher tokens], by column: those of teacher token v are the entries
 * `starts[v]` to `starts[v + 1]`.
 */
export interface SparseColumns {
  readonly starts: Int32Array
  /** Student token of each entry. */
  readonly tokens: Int32Array
  /** Weight of each entry; those of one student token add up to 1. */
  readonly weights: Float32Array
  /**
   * For each teacher token, the one that it counts as: itself where a student token projects onto it; else, since the student can only
   * begin to spell it, what the first token of the student's spelling projects onto; -1 where there is none.
   */
  readonly countsAs: Int32Array
}

export interface HeadWidths {
  /** Columns of the models' logits, which may be more than their tokenizers have ids. */
  readonly studentWidth: number
  readonly teacherWidth: number
}

/** How a student's next-token distribution reads in a teacher's vocabulary. */
export interface Projection extends HeadWidths {
  /**
   * @param studentAtStart at an answer's first token, where some tokenizers spell a space that is not in the text
   * @param teacherAtStart the same for the teacher
   */
  columns(studentAtStart: boolean, teacherAtStart: boolean): SparseColumns
}

/** A student token may stand for so many tokens of the teacher, */
const MAX_SPELLING = 4
/** of which the first has nearly all the weight: it is what the teacher would say next. */
const FIRST_WEIGHT = 0.9
const NEXT_WEIGHT = 0.1

const CACHED_PROJECTIONS = 8
const cache = new Map<string, Projection>()

/**
 * The vocabulary projection of X-Token (arXiv 2605.21699): the same bytes in both vocabularies get weight 1; else the student
 * token's bytes are spelled by the teacher, in up to four tokens, with weights proportional to 0.9 * 0.1^i; else the token has
 * no row. What is ours: a teacher token that no student token projects onto counts as the beginning of its spelling (see
 * {@link SparseColumns.countsAs}), so that a student of short tokens learns from a teacher of long ones. End-of-sequence goes with end-of-sequence. Equal tokenizers give the identity. Kept in memory under both digests.
 */
export function buildProjection(
  student: Tokenizer,
  teacher: Tokenizer,
  widths: HeadWidths,
): Projection {
  const { studentWidth, teacherWidth } = widths
  const key = [student.digest, teacher.digest, studentWidth, teacherWidth].join(' ')
  const known = cache.get(key)
  if (known !== undefined) return known
  const built = new Map<string, SparseColumns>()
  const projection: Projection = {
    studentWidth,
    teacherWidth,
    columns: (studentAtStart, teacherAtStart) => {
      const place = `${studentAtStart} ${teacherAtStart}`
      const columns =
        built.get(place) ?? buildColumns(student, teacher, widths, studentAtStart, teacherAtStart)
      built.set(place, columns)
      return columns
    },
  }
  const [oldest] = cache.keys()
  if (cache.size >= CACHED_PROJECTIONS && oldest !== undefined) cache.delete(oldest)
  cache.set(key, projection)
  return projection
}

function buildColumns(
  student: Tokenizer,
  teacher: Tokenizer,
  { studentWidth, teacherWidth }: HeadWidths,
  studentAtStart: boolean,
  teacherAtStart: boolean,
): SparseColumns {
  if (student.digest === teacher.digest)
    return identity(Math.min(studentWidth, teacherWidth), teacherWidth)
  const from = new TokenMap(student, studentWidth, studentAtStart)
  const to = new TokenMap(teacher, teacherWidth, teacherAtStart)
  const rows = from.surfaces.map((surface) => (surface === undefined ? [] : row(surface, to)))
  rows[student.eosId] = [{ token: teacher.eosId, weight: 1 }]
  const columns = byColumn(rows, teacherWidth)
  const countsAs = Int32Array.from({ length: teacherWidth }, (_, v) => {
    if (columns.starts[v + 1]! > columns.starts[v]!) return v
    const surface = to.surfaces[v]
    const [first] = (surface === undefined ? undefined : from.spell(surface)) ?? []
    return (first === undefined ? undefined : rows[first]?.[0]?.token) ?? -1
  })
  return { ...columns, countsAs }
}

interface RowEntry {
  readonly token: number
  readonly weight: number
}

function row(surface: string, teacher: TokenMap): readonly RowEntry[] {
  const same = teacher.find(surface)
  if (same !== undefined) return [{ token: same, weight: 1 }]
  const spelled = teacher.spell(surface)
  if (spelled === undefined || spelled.length > MAX_SPELLING) return []
  const shares = spelled.map((_, i) => FIRST_WEIGHT * NEXT_WEIGHT ** i)
  const total = shares.reduce((sum, share) => sum + share, 0)
  return spelled.map((token, i) => ({ token, weight: shares[i]! / total }))
}

function byColumn(
  rows: readonly (readonly RowEntry[])[],
  teacherWidth: number,
): Omit<SparseColumns, 'countsAs'> {
  const starts = new Int32Array(teacherWidth + 1)
  for (const entries of rows) for (const { token } of entries) starts[token + 1]! += 1
  for (let v = 0; v < teacherWidth; v++) starts[v + 1]! += starts[v]!
  const tokens = new Int32Array(starts[teacherWidth]!)
  const weights = new Float32Array(tokens.length)
  const filled = starts.slice()
  for (const [u, entries] of rows.entries()) {
    for (const { token, weight } of entries) {
      const at = filled[token]!++
      tokens[at] = u
      weights[at] = weight
    }
  }
  return { starts, tokens, weights }
}

function identity(size: number, teacherWidth: number): SparseColumns {
  return {
    starts: Int32Array.from({ length: teacherWidth + 1 }, (_, v) => Math.min(v, size)),
    tokens: Int32Array.from({ length: size }, (_, v) => v),
    weights: new Float32Array(size).fill(1),
    countsAs: Int32Array.from({ length: teacherWidth }, (_, v) => (v < size ? v : -1)),
  }
}
