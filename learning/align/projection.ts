import type { Tokenizer } from '#learning/text'

/**
 * A sparse row-stochastic map from a student's vocabulary to a teacher's (X-Token, arXiv 2605.21699), by the teacher's tokens:
 * `students` and `weights` from `offsets[v]` to `offsets[v + 1]` are the student's tokens that stand, wholly or in part, for the
 * teacher's token v.
 */
export interface Projection {
  readonly offsets: Int32Array
  readonly students: Int32Array
  readonly weights: Float32Array
}

/** Tokenizers with a prefix space cut the first word of a text differently, so an answer's first token has a map of its own. */
export interface Projections {
  readonly atStart: Projection
  readonly inside: Projection
}

/** A student's token that the teacher would need more tokens for has no counterpart. */
const MAX_TOKENS = 4

export function buildProjections(student: Tokenizer, teacher: Tokenizer): Projections {
  const inside = buildProjection(
    surfaces(student, false),
    surfaces(teacher, false),
    student,
    teacher,
  )
  if (!hasPrefixSpace(student) && !hasPrefixSpace(teacher)) return { atStart: inside, inside }
  const atStart = buildProjection(
    surfaces(student, true),
    surfaces(teacher, true),
    student,
    teacher,
  )
  return { atStart, inside }
}

/** Whether the tokenizer puts a space, which the text does not have, before the first word. */
function hasPrefixSpace(tokenizer: Tokenizer): boolean {
  const first = tokenizer.encode('a').ids[0]
  const bytes = first === undefined ? undefined : tokenizer.tokenBytes(first)
  return bytes?.[0] === SPACE
}

const SPACE = 0x20

/** What each token stands for, as a string of bytes (Latin-1), or undefined for special tokens. */
function surfaces(tokenizer: Tokenizer, atStart: boolean): (string | undefined)[] {
  const strip = atStart && hasPrefixSpace(tokenizer)
  return Array.from({ length: tokenizer.vocabularySize }, (_, id) => {
    const bytes = tokenizer.tokenBytes(id)
    if (bytes === undefined || bytes.length === 0) return undefined
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
    return strip && text.length > 1 && text.startsWith(' ') ? text.slice(1) : text
  })
}

function buildProjection(
  studentSurfaces: readonly (string | undefined)[],
  teacherSurfaces: readonly (string | undefined)[],
  student: Tokenizer,
  teacher: Tokenizer,
): Projection {
  const teacherIds = idsBySurface(teacherSurfaces, teacher)
  const longest = Math.max(0, ...[...teacherIds.keys()].map((text) => text.length))
  const columns: [student: number, weight: number][][] = Array.from(
    { length: teacher.vocabularySize },
    () => [],
  )
  for (const [id, surface] of studentSurfaces.entries()) {
    const row = surface === undefined ? [] : projectToken(surface, teacherIds, longest)
    for (const [v, weight] of row) columns[v]!.push([id, weight])
  }
  columns[teacher.eosId]!.push([student.eosId, 1])
  return compress(columns)
}

/** Of several tokens of one surface the one that the tokenizer itself writes for it, else the first. */
function idsBySurface(
  all: readonly (string | undefined)[],
  tokenizer: Tokenizer,
): ReadonlyMap<string, number> {
  const ids = new Map<string, number>()
  for (const [id, surface] of all.entries()) {
    if (surface === undefined) continue
    const other = ids.get(surface)
    if (other === undefined) ids.set(surface, id)
    else if (longerSurface(tokenizer, id, other)) ids.set(surface, id)
  }
  return ids
}

function longerSurface(tokenizer: Tokenizer, a: number, b: number): boolean {
  return (tokenizer.tokenBytes(a)?.length ?? 0) > (tokenizer.tokenBytes(b)?.length ?? 0)
}

/**
 * The teacher's tokens for a student's token: the same bytes if there are any, else the longest matches from the left, up to four,
 * weighted 0.9 * 0.1^i and normalised: it is the first of them that decides.
 */
function projectToken(
  surface: string,
  teacherIds: ReadonlyMap<string, number>,
  longest: number,
): [teacher: number, weight: number][] {
  const tokens: number[] = []
  for (let at = 0; at < surface.length; ) {
    let length = Math.min(longest, surface.length - at)
    while (length > 0 && !teacherIds.has(surface.slice(at, at + length))) length--
    const id = teacherIds.get(surface.slice(at, at + length))
    if (length === 0 || id === undefined || tokens.length === MAX_TOKENS) return []
    tokens.push(id)
    at += length
  }
  const total = tokens.reduce((sum, _, i) => sum + 0.9 * 0.1 ** i, 0)
  const merged = new Map<number, number>()
  for (const [i, id] of tokens.entries()) {
    merged.set(id, (merged.get(id) ?? 0) + (0.9 * 0.1 ** i) / total)
  }
  return [...merged]
}

function compress(columns: readonly (readonly [number, number])[][]): Projection {
  const offsets = new Int32Array(columns.length + 1)
  for (const [v, column] of columns.entries()) offsets[v + 1] = offsets[v]! + column.length
  const entries = columns.flat()
  return {
    offsets,
    students: Int32Array.from(entries, ([student]) => student),
    weights: Float32Array.from(entries, ([, weight]) => weight),
  }
}
