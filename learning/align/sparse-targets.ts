import type { AlignedRow } from './byte-boundaries.ts'
import type { Projections } from './projection.ts'

/** What the distillation loss of a student's batch is fed (`projectedKl` of `#learning/train`). Unused entries are zero. */
export interface SparseTargets {
  /** `[N]`: student's row * width + student's token. */
  readonly flatIndex: Int32Array
  /** `[N]`: entry of the projection. */
  readonly weight: Float32Array
  /** `[N]`: student's row * K + k. */
  readonly slot: Int32Array
  /** `[M, K]`: the teacher's probabilities, 0 where they went to the tail. */
  readonly teacher: Float32Array
  /** `[M]`: what the slots do not hold of the teacher's probability. */
  readonly tail: Float32Array
  /** `[M]`: 1 where the teacher is compared with. */
  readonly rowWeight: Float32Array
  /** Slots that went to the tail because the entries were used up. */
  readonly dropped: number
}

export interface SparseTargetsInit {
  readonly projections: Projections
  /** Rows of the two batches that may be compared, indices into M. */
  readonly aligned: readonly AlignedRow[]
  /** `[M teacher, K]`, most probable first. */
  readonly topTokens: Int32Array
  readonly topProbabilities: Float32Array
  readonly topK: number
  /** M of the student's batch. */
  readonly rows: number
  /** Width of the student's head. */
  readonly width: number
  /** N. */
  readonly entries: number
}

/** Carries a teacher's top-k over to the student's vocabulary. */
export function sparseTargets(init: SparseTargetsInit): SparseTargets {
  const { projections, aligned, topTokens, topProbabilities, topK, rows, width, entries } = init
  const flatIndex = new Int32Array(entries)
  const weight = new Float32Array(entries)
  const slot = new Int32Array(entries)
  const teacher = new Float32Array(rows * topK)
  const tail = new Float32Array(rows)
  const rowWeight = new Float32Array(rows)
  let used = 0
  let dropped = 0
  for (const row of aligned) {
    const { offsets, students, weights } = row.atStart ? projections.atStart : projections.inside
    let rest = 1
    for (let k = 0; k < topK; k++) {
      const at = row.teacher * topK + k
      const begin = offsets[topTokens[at]!] ?? 0
      const end = offsets[topTokens[at]! + 1] ?? begin
      if (begin === end) continue
      if (used + end - begin > entries) {
        dropped++
        continue
      }
      teacher[row.student * topK + k] = topProbabilities[at]!
      rest -= topProbabilities[at]!
      for (let i = begin; i < end; i++, used++) {
        flatIndex[used] = row.student * width + students[i]!
        weight[used] = weights[i]!
        slot[used] = row.student * topK + k
      }
    }
    tail[row.student] = Math.max(0, rest)
    rowWeight[row.student] = 1
  }
  return { flatIndex, weight, slot, teacher, tail, rowWeight, dropped }
}
