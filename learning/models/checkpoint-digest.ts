import { createHash } from 'node:crypto'
import { bytesOf } from '#base'
import type { OpenCheckpoint } from './open-checkpoint.ts'
import { decodeValues } from './safetensors.ts'

/**
 * SHA-256 (hexadecimal) of what a checkpoint computes: its configuration and its weights as float32. How the numbers
 * were stored does not matter; two peers whose bases agree in it may exchange adapters. The weights are read in pieces.
 *
 * @throws CotuneError MODEL_TENSOR_NOT_FINITE, SAFETENSORS_TRUNCATED, FILE_UNREADABLE
 */
export async function checkpointDigest({
  model,
  tensors,
}: Pick<OpenCheckpoint, 'model' | 'tensors'>): Promise<string> {
  const hash = createHash('sha256')
  hash.update(canonicalJson(model.config))
  for (const name of [...model.parameters.keys()].sort()) {
    const tensor = tensors.get(name)!
    hash.update(`\n${name} ${JSON.stringify(tensor.shape)}\n`)
    for await (const piece of tensor.readPieces())
      hash.update(bytesOf(decodeValues(tensor.dtype, piece)))
  }
  return hash.digest('hex')
}

function canonicalJson(value: object): string {
  return JSON.stringify(Object.fromEntries(Object.entries(value).sort()))
}
