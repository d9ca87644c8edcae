/** A pair of positions at which two models have read the same bytes, so that their next-token distributions may be compared. */
export interface AlignedRow {
  /** Index among the student's supervised tokens of the example. */
  readonly student: number
  readonly teacher: number
  /** Whether nothing of the answer has been read yet. */
  readonly atStart: boolean
}

/**
 * Pairs the supervised tokens of one answer as two tokenizers cut it: wherever both have ended a token at the same byte, a group
 * closes, and the two tokens that come next are predicted from the same bytes. Nothing else may be compared.
 *
 * @param studentEnds UTF-8 end byte of each token in the answer, the end-of-sequence token included with zero width
 * @param teacherEnds the same of the teacher
 */
export function alignRows(
  studentEnds: ArrayLike<number>,
  teacherEnds: ArrayLike<number>,
): AlignedRow[] {
  const teacherAt = lastRowByStart(teacherEnds)
  const aligned: AlignedRow[] = []
  for (const [start, student] of lastRowByStart(studentEnds)) {
    const teacher = teacherAt.get(start)
    if (teacher !== undefined) aligned.push({ student, teacher, atStart: start === 0 })
  }
  return aligned
}

/** Of rows that begin at the same byte the last: those before it are of tokens without width. */
function lastRowByStart(ends: ArrayLike<number>): Map<number, number> {
  const rows = new Map<number, number>()
  for (let row = 0; row < ends.length; row++) rows.set(row === 0 ? 0 : ends[row - 1]!, row)
  return rows
}
