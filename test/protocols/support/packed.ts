import { createRandom } from '#base'
import type { Signer } from '#protocols/messages'
import { type ManifestCore, type PackedBlob, packVersion } from '#protocols/transfer'

/** Bytes that look random and are the same every time. */
export function someBytes(length: number, seed = 'bytes'): Uint8Array {
  const random = createRandom(seed)
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = random.integer(256)
  return bytes
}

export const ABOUT = {
  runId: 'run-1',
  round: 1,
  baseDigest: 'ab'.repeat(32),
  expiresAt: 4_000_000_000_000,
  counter: 1,
} satisfies Partial<ManifestCore>

export function packed(signer: Signer, sizeBytes: number, seed?: string): PackedBlob {
  return packVersion(signer, someBytes(sizeBytes, seed), ABOUT)
}
