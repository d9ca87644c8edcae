import { createHash } from 'node:crypto'
import { bytesOf } from '#base'
import type { Checkpoint } from './checkpoint.ts'

/**
 * SHA-256 (hexadecimal) of what a checkpoint computes: its configuration and its weights as float32. How the numbers
 * were stored does not matter; two peers whose bases agree in it may exchange adapters.
 */
export function checkpointDigest({
  model,
  weights,
}: Pick<Checkpoint, 'model' | 'weights'>): string {
  const hash = createHash('sha256')
  hash.update(canonicalJson(model.config))
  for (const name of [...model.parameters.keys()].sort()) {
    const tensor = weights.get(name)
    if (tensor === undefined) continue
    hash.update(`\n${name} ${JSON.stringify(tensor.shape)}\n`)
    hash.update(bytesOf(tensor.data))
  }
  return hash.digest('hex')
}

function canonicalJson(value: object): string {
  return JSON.stringify(Object.fromEntries(Object.entries(value).sort()))
}
