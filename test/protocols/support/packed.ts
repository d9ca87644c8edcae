import { createCipheriv } from 'node:crypto'
import { sha256 } from '#base'
import type { Signer } from '#protocols/messages'
import { type ManifestCore, type PackedBlob, packVersion } from '#protocols/transfer'

/** Bytes that look random and are the same every time. */
export function someBytes(length: number, seed = 'bytes'): Uint8Array {
  const cipher = createCipheriv('aes-256-ctr', sha256(seed), new Uint8Array(16))
  return new Uint8Array(cipher.update(new Uint8Array(length)))
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
