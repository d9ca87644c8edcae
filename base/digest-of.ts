import { createHash } from 'node:crypto'
import { createBreather } from './breather.ts'

const SLICE_BYTES = 4 * 1_048_576

/** SHA-256 in hexadecimal of much content, without holding up the event loop. */
export async function digestOf(parts: readonly Uint8Array[]): Promise<string> {
  const hash = createHash('sha256')
  const breathe = createBreather()
  for (const part of parts) {
    for (let at = 0; at < part.length; at += SLICE_BYTES) {
      hash.update(part.subarray(at, at + SLICE_BYTES))
      await breathe()
    }
  }
  return hash.digest('hex')
}
