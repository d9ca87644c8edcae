import { createCipheriv, createDecipheriv } from 'node:crypto'
import { concatBytes } from '#base'
import { LIMITS } from '#protocols/messages'
import type { ContentKey } from './hpke.ts'

const ALGORITHM = 'chacha20-poly1305'
const TAG_BYTES = 16

/** Plaintext in a full chunk: chunk and tag fill exactly one chunk of the wire. */
export const PLAIN_CHUNK_BYTES = LIMITS.chunkBytes - TAG_BYTES

/**
 * Number of chunks for `contentBytes`; nothing at all still takes one, which says that it is the
 * last.
 */
export function sealedChunks(contentBytes: number): number {
  return Math.max(1, Math.ceil(contentBytes / PLAIN_CHUNK_BYTES))
}

/** Bytes of the ciphertext of `contentBytes`. */
export function sealedBytes(contentBytes: number): number {
  return contentBytes + sealedChunks(contentBytes) * TAG_BYTES
}

/**
 * STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015): chunk i under the nonce prefix | i | last, so
 * that chunks cannot be reordered, dropped or cut off at the end unseen.
 */
export function sealChunk(
  { key, noncePrefix }: ContentKey,
  aad: Uint8Array,
  index: number,
  last: boolean,
  plain: Uint8Array,
): Uint8Array {
  const cipher = createCipheriv(ALGORITHM, key, nonce(noncePrefix, index, last), {
    authTagLength: TAG_BYTES,
  })
  cipher.setAAD(aad, { plaintextLength: plain.length })
  return concatBytes([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** The plaintext of a chunk. Throws when anything about it is not as sealed. */
export function openChunk(
  { key, noncePrefix }: ContentKey,
  aad: Uint8Array,
  index: number,
  last: boolean,
  sealed: Uint8Array,
): Uint8Array {
  const end = sealed.length - TAG_BYTES
  if (end < 0) throw new Error('shorter than its tag')
  const decipher = createDecipheriv(ALGORITHM, key, nonce(noncePrefix, index, last), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(aad, { plaintextLength: end })
  decipher.setAuthTag(sealed.subarray(end))
  return concatBytes([decipher.update(sealed.subarray(0, end)), decipher.final()])
}

function nonce(prefix: Uint8Array, index: number, last: boolean): Uint8Array {
  const bytes = Buffer.alloc(12)
  bytes.set(prefix, 0)
  bytes.writeUInt32BE(index, 7)
  bytes[11] = last ? 1 : 0
  return bytes
}
