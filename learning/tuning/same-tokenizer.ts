import type { SparseTargets } from '#learning/align'
import type { PackedBatch } from '#learning/data'
import type { ForwardResult } from '#learning/train'

/**
 * What a teacher of the student's own tokenizer says: every supervised row may be compared, the projection is the identity.
 *
 * @param width the student's head
 * @param size entries that the student's program takes
 */
export function sameTokenizerTargets(
  batch: PackedBatch,
  said: ForwardResult,
  width: number,
  size = said.topTokens.length,
): SparseTargets {
  const rows = batch.rows.length
  const entries = said.topTokens.length
  const topK = entries / rows
  const flatIndex = new Int32Array(size)
  const weight = new Float32Array(size)
  const slot = new Int32Array(size)
  const teacher = new Float32Array(entries)
  const tail = new Float32Array(rows)
  for (let row = 0; row < rows; row++) {
    let rest = 1
    for (let k = 0; k < topK; k++) {
      const entry = row * topK + k
      const token = said.topTokens[entry]!
      // Heads are padded to different widths: what lies beyond the student's own is in the tail.
      if (token >= width) continue
      flatIndex[entry] = row * width + token
      weight[entry] = 1
      slot[entry] = entry
      teacher[entry] = said.topProbabilities[entry]!
      rest -= said.topProbabilities[entry]!
    }
    tail[row] = Math.max(0, rest)
  }
  return {
    flatIndex,
    weight,
    slot,
    teacher,
    tail,
    rowWeight: batch.rowWeight.map((weight) => (weight > 0 ? 1 : 0)),
    dropped: 0,
  }
}

/** Nats per UTF-8 byte of each example's answer, `[X]`; what losses of two tokenizers are compared in. */
export function natsPerByte(batch: PackedBatch, said: ForwardResult): Float32Array {
  return said.exampleNats.map((nats, slot) => nats / Math.max(1, batch.exampleBytes[slot]!))
}
