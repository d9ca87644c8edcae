import type { Tensor, WeightValue } from '#engine'
import { type OpenCheckpoint, openCheckpoint } from './open-checkpoint.ts'

/** A model with its numbers: in memory, or wherever sessions can take them from. */
export interface Checkpoint<Value extends WeightValue = Tensor>
  extends Pick<OpenCheckpoint, 'model' | 'tokenizer' | 'warnings'> {
  /** Every parameter of the model, by its Hugging Face name. */
  readonly weights: ReadonlyMap<string, Value>
}

/**
 * Loads a Hugging Face style folder whole, after all the checks of `openCheckpoint`.
 *
 * @throws CotuneError as `openCheckpoint`, and MODEL_TENSOR_NOT_FINITE
 */
export async function loadCheckpoint(folder: string): Promise<Checkpoint> {
  return readWeights(await openCheckpoint(folder))
}

/** The same of a checkpoint that is open. */
export async function readWeights(checkpoint: OpenCheckpoint): Promise<Checkpoint> {
  const { model, tokenizer, tensors, warnings } = checkpoint
  const weights = new Map<string, Tensor>()
  for (const [name, tensor] of tensors) weights.set(name, await tensor.read())
  return { model, weights, warnings, ...(tokenizer === undefined ? {} : { tokenizer }) }
}
