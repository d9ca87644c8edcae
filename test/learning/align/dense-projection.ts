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

/** `KL(p_t || p_s W)` of one aligned row over the teacher's top-k that some student token projects onto, and the rest. */
export function denseDivergence(
  studentLogits: readonly number[],
  dense: readonly (readonly number[])[],
  teacher: TeacherTopK,
  { teacher: row }: AlignedRow,
): number {
  const student = softmaxOf(studentLogits)
  const projected = (v: number) => student.reduce((sum, p, u) => sum + p * dense[u]![v]!, 0)
  const reachable = (v: number) => dense.some((weights) => weights[v]! > 0)
  let divergence = 0
  let teacherRest = 1
  let studentRest = 1
  for (let k = 0; k < teacher.topK; k++) {
    const v = teacher.tokens[row * teacher.topK + k]!
    const p = teacher.probabilities[row * teacher.topK + k]!
    if (!reachable(v)) continue
    const s = projected(v)
    divergence += p * Math.log(p / s)
    teacherRest -= p
    studentRest -= s
  }
  return divergence + teacherRest * Math.log(teacherRest / studentRest)
}
