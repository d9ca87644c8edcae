import type { OpenCheckpoint } from './open-checkpoint.ts'

/**
 * Reads all parameters in small pieces and keeps none: whether a checkpoint can be loaded, in a few megabytes of memory.
 *
 * @throws CotuneError MODEL_TENSOR_NOT_FINITE, SAFETENSORS_TRUNCATED, FILE_UNREADABLE
 */
export async function checkValues({ tensors }: Pick<OpenCheckpoint, 'tensors'>): Promise<void> {
  for (const tensor of tensors.values()) {
    const pieces = tensor.readPieces()
    while ((await pieces.next()).done !== true);
  }
}
