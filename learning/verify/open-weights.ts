import type { WeightValue } from '#engine'
import { type Checkpoint, checkValues, freeze, openCheckpoint, readWeights } from '#learning/models'

/**
 * Opens a checkpoint to look at it, and writes nothing. Float32 weights stay on disk, where the runtime maps them. With
 * any in half precision all are read into memory as float32: those cannot be mapped unless they are written anew, and
 * the runtime takes beside mapped weights no more from memory than a protobuf holds, 2 GB.
 *
 * @throws CotuneError as `openCheckpoint`, and MODEL_TENSOR_NOT_FINITE
 */
export async function openWeights(folder: string): Promise<Checkpoint<WeightValue>> {
  const checkpoint = await openCheckpoint(folder)
  const isFloat32 = [...checkpoint.tensors.values()].every(({ dtype }) => dtype === 'F32')
  if (!isFloat32) return readWeights(checkpoint)
  // What is not finite is found here, not by the runtime.
  await checkValues(checkpoint)
  return freeze(checkpoint)
}
