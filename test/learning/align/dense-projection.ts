import type { AlignedRow, Projection, TeacherTopK } from '#learning/align'

/** W [student width][teacher width] in full: the slow twin of the sparse columns. */
export function denseProjection(
  projection: Projection,
  studentAtStart: boolean,
  teacherAtStart: boolean,
): number[][] {
  const { starts, tokens, weights } = projection.columns(studentAtStart, teacherAtStart)
  const dense = Array.from({ length: projection.studentWidth }, () =>
    new Array<number>(projection.teacherWidth).fill(0),
  )
  for (let v = 0; v < projection.teacherWidth; v++) {
    for (let i = starts[v]!; i < starts[v + 1]!; i++) dense[tokens[i]!]![v]! += weights[i]!
  }
  return dense
}

export function softmaxOf(logits: readonly number[]): number[] {
  const top = Math.max(...logits)
  const powers = logits.map((x) => Math.exp(x - top))
  const total = powers.reduce((a, b) => a + b, 0)
  return powers.map((x) => x / total)
}

/** `KL(p_t || p_s W)` of one aligned row over what the teacher's top-k count as, and the rest. */
export function denseDivergence(
  studentLogits: readonly number[],
  projection: Projection,
  teacher: TeacherTopK,
  row: AlignedRow,
): number {
  const dense = denseProjection(projection, row.studentAtStart, row.teacherAtStart)
  const { countsAs } = projection.columns(row.studentAtStart, row.teacherAtStart)
  const student = softmaxOf(studentLogits)
  const projected = Array.from(countsAs, (_, v) =>
    student.reduce((sum, p, u) => sum + p * dense[u]![v]!, 0),
  )
  const expected = new Array<number>(countsAs.length).fill(0)
  for (let k = 0; k < teacher.topK; k++) {
    const as = countsAs[teacher.tokens[row.teacher * teacher.topK + k]!]!
    if (as >= 0) expected[as]! += teacher.probabilities[row.teacher * teacher.topK + k]!
  }
  let divergence = 0
  let teacherRest = 1
  let studentRest = 1
  for (const [v, p] of expected.entries()) {
    if (p === 0) continue
    divergence += p * Math.log(p / projected[v]!)
    teacherRest -= p
    studentRest -= projected[v]!
  }
  return divergence + teacherRest * Math.log(teacherRest / studentRest)
}
