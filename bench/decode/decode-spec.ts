import type { BasePrecision } from '#learning/models'

/** What each contender of the decode bench is told. */
export interface DecodeSpec {
  /** The peer's GGUF file, or a Hugging Face folder. */
  readonly path: string
  readonly base: BasePrecision
  readonly prompt: number
  readonly answer: number
  readonly threads: number
}

/** Token ids that no model ends at. */
export function promptIds(length: number): Int32Array {
  return Int32Array.from({ length }, (_, i) => 300 + 7 * i)
}
