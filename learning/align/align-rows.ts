import type { EncodedExample, PackedBatch } from '#learning/data'

/** A row of each model's batch at which both have read the same bytes, so that what they expect next may be compared. */
export interface AlignedRow {
  /** Index into the student's M supervised rows. */
  readonly student: number
  readonly teacher: number
  /** Whether the row predicts the answer's first token, where some tokenizers put a space that is not in the text. */
  readonly studentAtStart: boolean
  readonly teacherAtStart: boolean
}

/**
 * The rows of two batches of the same examples (from `packPairs`) at which both models have read the same bytes of the answer.
 */
export function alignRows(student: PackedBatch, teacher: PackedBatch): AlignedRow[] {
  return student.encoded.flatMap((ofStudent, slot) => {
    const ofTeacher = teacher.encoded[slot]
    if (ofTeacher === undefined) return []
    const studentRow = firstAnswerRow(student, slot)
    const teacherRow = firstAnswerRow(teacher, slot)
    return byteBoundaries(ofStudent.answerEnds, ofTeacher.answerEnds).map(([s, t]) => ({
      student: studentRow + s,
      teacher: teacherRow + t,
      studentAtStart: s === 0,
      teacherAtStart: t === 0,
    }))
  })
}

/**
 * Walks two tokenizations of one text. Where both have a token that ends at the same byte, a group closes. Returns, for each
 * group, the two tokens that begin it: before them both models have read the same bytes. A last group that does not close is
 * dropped. Of tokens without width, the last counts: nothing is between it and what follows.
 *
 * @param a end byte of each token
 * @param b the same of the other tokenization
 */
export function byteBoundaries(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
): (readonly [indexInA: number, indexInB: number])[] {
  const startsInA = lastTokenFrom(a)
  const startsInB = lastTokenFrom(b)
  const closedInA = lastSharedEnd(a, b)
  const closedInB = lastSharedEnd(b, a)
  const pairs: [number, number][] = []
  for (const [byte, i] of startsInA) {
    const j = startsInB.get(byte)
    if (j !== undefined && i <= closedInA && j <= closedInB) pairs.push([i, j])
  }
  return pairs
}

/** For each byte at which a token starts, the last such token. */
function lastTokenFrom(ends: ArrayLike<number>): Map<number, number> {
  const from = new Map<number, number>()
  for (let i = 0; i < ends.length; i++) from.set(i === 0 ? 0 : ends[i - 1]!, i)
  return from
}

/** The last token whose end is an end of the other tokenization too; -1 if there is none. */
function lastSharedEnd(ends: ArrayLike<number>, others: ArrayLike<number>): number {
  const shared = new Set(Array.from(others))
  for (let i = ends.length - 1; i >= 0; i--) if (shared.has(ends[i]!)) return i
  return -1
}

/** The row that predicts the answer's first token; those of the prompt lie before it where it is learnt too. */
function firstAnswerRow(batch: PackedBatch, slot: number): number {
  const { promptWeight, answerStart }: EncodedExample = batch.encoded[slot]!
  return batch.firstRow[slot]! + (promptWeight > 0 ? answerStart - 1 : 0)
}
