import type { AlignedRow } from './align-rows.ts'
import type { Projection, SparseColumns } from './projection.ts'

/** What the teacher expects at each of its rows. */
export interface TeacherTopK {
  readonly topK: number
  /** `[M_t, K]` token ids. */
  readonly tokens: Int32Array
  /** `[M_t, K]` probabilities, at the temperature of the loss. */
  readonly probabilities: Float32Array
}

export interface TargetLimits {
  /** Supervised rows of the student's batch, M. */
  readonly rows: number
  /** Entries of the projection in a batch, N. */
  readonly entries: number
}

/**
 * Soft targets in the form that a training graph reads: slot k of a student's row gathers the student's mass that projects onto
 * the teacher's k-th token, `s(r, k) = sum of weight * p_s(r, u)`; what is left, on both sides, is the tail.
 * Sizes are fixed; unused entries have weight 0.
 */
export interface SparseTargets {
  /** `[N]`: student row * student width + student token. */
  readonly flatIndex: Int32Array
  /** `[N]`: entry of W. */
  readonly weight: Float32Array
  /** `[N]`: student row * K + k. */
  readonly slot: Int32Array
  /** `[M, K]`: the teacher's probabilities; 0 in a slot that went into the tail or counts with another. */
  readonly teacher: Float32Array
  /** `[M]`: the teacher's remaining probability. */
  readonly tail: Float32Array
  /** `[M]`: 1 where a teacher's row answers the same question, else 0. */
  readonly rowWeight: Float32Array
  /** Slots that went into the tail for want of entries. */
  readonly dropped: number
}

interface Slot {
  readonly row: number
  readonly k: number
  readonly probability: number
  readonly token: number
  readonly columns: SparseColumns
}

/**
 * Gathers the teacher's top-k at the aligned rows in terms of the student's vocabulary. A token that no student token projects
 * onto counts as the beginning of its spelling, or is in the tail. Where the batch needs more entries than there are, the slots of smallest probability go there too,
 * whole, and are counted.
 */
export function sparseTargets(
  projection: Projection,
  teacher: TeacherTopK,
  aligned: readonly AlignedRow[],
  limits: TargetLimits,
): SparseTargets {
  const { topK } = teacher
  const out = {
    flatIndex: new Int32Array(limits.entries),
    weight: new Float32Array(limits.entries),
    slot: new Int32Array(limits.entries),
    teacher: new Float32Array(limits.rows * topK),
    tail: new Float32Array(limits.rows),
    rowWeight: new Float32Array(limits.rows),
  }
  for (const { student } of aligned) {
    out.rowWeight[student] = 1
    out.tail[student] = 1
  }
  const slots = collectSlots(projection, teacher, aligned)
  const { kept, dropped } = withinLimit(slots, limits.entries)
  let entry = 0
  for (const { row, k, probability, token, columns } of kept) {
    out.teacher[row * topK + k] = probability
    out.tail[row] = Math.max(0, out.tail[row]! - probability)
    for (let i = columns.starts[token]!; i < columns.starts[token + 1]!; i++, entry++) {
      out.flatIndex[entry] = row * projection.studentWidth + columns.tokens[i]!
      out.weight[entry] = columns.weights[i]!
      out.slot[entry] = row * topK + k
    }
  }
  return { ...out, dropped }
}

/** What the teacher's tokens count as, row by row: one slot each, at the rank of its first token. */
function collectSlots(
  projection: Projection,
  { topK, tokens, probabilities }: TeacherTopK,
  aligned: readonly AlignedRow[],
): Slot[] {
  return aligned.flatMap(({ student, teacher, studentAtStart, teacherAtStart }) => {
    const columns = projection.columns(studentAtStart, teacherAtStart)
    const slots = new Map<number, Slot>()
    for (let k = 0; k < topK; k++) {
      const token = columns.countsAs[tokens[teacher * topK + k]!]!
      if (token < 0) continue
      const slot = slots.get(token) ?? { row: student, k, probability: 0, token, columns }
      const probability = slot.probability + probabilities[teacher * topK + k]!
      slots.set(token, { ...slot, probability })
    }
    return [...slots.values()]
  })
}

function withinLimit(
  slots: readonly Slot[],
  limit: number,
): { readonly kept: readonly Slot[]; readonly dropped: number } {
  let total = slots.reduce((sum, slot) => sum + entriesOf(slot), 0)
  if (total <= limit) return { kept: slots, dropped: 0 }
  const byProbability = [...slots].sort((a, b) => a.probability - b.probability)
  const dropped = new Set<Slot>()
  for (const slot of byProbability) {
    if (total <= limit) break
    dropped.add(slot)
    total -= entriesOf(slot)
  }
  return { kept: slots.filter((slot) => !dropped.has(slot)), dropped: dropped.size }
}

function entriesOf({ columns, token }: Slot): number {
  return columns.starts[token + 1]! - columns.starts[token]!
}
