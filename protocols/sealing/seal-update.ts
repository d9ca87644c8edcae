import { CotuneError, createBreather, sha256, sha256Hex, utf8 } from '#base'
import type { Signer } from '#protocols/messages'
import {
  encodeCore,
  MAX_BLOB_BYTES,
  type Manifest,
  openManifest,
  type PackedBlob,
  signManifest,
} from '#protocols/transfer'
import { decapsulate, encapsulate } from './hpke.ts'
import type { SealingKey, SealingPublicKey } from './sealing-key.ts'
import {
  openChunk,
  PLAIN_CHUNK_BYTES,
  sealChunk,
  sealedBytes,
  sealedChunks,
} from './stream-cipher.ts'

/** What an update is for; all of it is signed, and the seal is bound to it. */
export interface UpdateAbout {
  readonly runId: string
  readonly round: number
  /** SHA-256 of what the delta is relative to, as the round's announcement names it. */
  readonly baseDigest: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
  /**
   * Greater than that of every earlier update of this device, across restarts; the time of sealing
   * in milliseconds will do.
   */
  readonly counter: number
}

/**
 * Seals `content` so that only the owner of `recipient` can read it, and signs its manifest: HPKE
 * base mode (RFC 9180) gives a content key, ChaCha20-Poly1305 in STREAM form encrypts chunk by
 * chunk, Ed25519 says whose it is.
 * @throws UPDATE_TOO_LARGE
 */
export async function sealUpdate(
  signer: Signer,
  recipient: SealingPublicKey,
  content: Uint8Array,
  about: UpdateAbout,
): Promise<PackedBlob> {
  const sizeBytes = sealedBytes(content.length)
  if (sizeBytes > MAX_BLOB_BYTES) throw tooLarge(sizeBytes, MAX_BLOB_BYTES)
  const info = sealInfo(signer.peerId, recipient.keyId, about)
  const { enc, contentKey } = await encapsulate(recipient.publicKey, info)
  const core = encodeCore({
    ...about,
    kind: 'update',
    contentBytes: content.length,
    sizeBytes,
    seal: { recipientKeyId: recipient.keyId, enc },
  })
  const aad = sha256(core)
  const count = sealedChunks(content.length)
  const chunks: Uint8Array[] = []
  const hashes: string[] = []
  const breathe = createBreather()
  for (let i = 0; i < count; i++) {
    const plain = content.subarray(i * PLAIN_CHUNK_BYTES, (i + 1) * PLAIN_CHUNK_BYTES)
    const chunk = sealChunk(contentKey, aad, i, i === count - 1, plain)
    chunks.push(chunk)
    hashes.push(sha256Hex(chunk))
    await breathe()
  }
  return { ...signManifest(signer, core, hashes), chunks }
}

/**
 * The content of a sealed update, chunk by chunk from wherever they lie. The manifest must have
 * passed `checkUpdate`.
 * @throws SEAL_WRONG_RECIPIENT, SEAL_TRUNCATED when a chunk is missing or short, SEAL_TAMPERED when
 * one was changed
 */
export async function openUpdate(
  keys: readonly SealingKey[],
  manifestBytes: Uint8Array,
  chunkAt: (index: number) => Promise<Uint8Array | undefined>,
): Promise<{ readonly manifest: Manifest; readonly content: Uint8Array }> {
  const manifest = openManifest(manifestBytes)
  const key = keys.find(({ keyId }) => keyId === manifest.seal?.recipientKeyId)
  if (!manifest.seal || !key) throw wrongRecipient(manifest)
  const count = sealedChunks(manifest.contentBytes)
  if (
    manifest.sizeBytes !== sealedBytes(manifest.contentBytes) ||
    manifest.chunkHashes.length !== count
  ) {
    throw truncated(manifest, 'its sizes do not agree')
  }
  const info = sealInfo(manifest.senderId, key.keyId, manifest)
  const { enc } = manifest.seal
  const contentKey = await decapsulate(key.privateKey, enc, info).catch((cause: unknown) => {
    throw tampered(manifest, 'its encapsulated key', cause)
  })
  const aad = sha256(manifest.coreBytes)
  const content = new Uint8Array(manifest.contentBytes)
  for (let index = 0; index < count; index++) {
    const sealed = await chunkAt(index)
    if (!sealed) throw truncated(manifest, `chunk ${index} is missing`)
    const offset = index * PLAIN_CHUNK_BYTES
    const expected = Math.min(PLAIN_CHUNK_BYTES, manifest.contentBytes - offset) + 16
    if (sealed.length < expected) throw truncated(manifest, `chunk ${index} is short`)
    try {
      content.set(openChunk(contentKey, aad, index, index === count - 1, sealed), offset)
    } catch (cause) {
      throw tampered(manifest, `chunk ${index}`, cause)
    }
  }
  return { manifest, content }
}

function sealInfo(
  senderId: string,
  keyId: string,
  { runId, round, baseDigest }: UpdateAbout,
): Uint8Array {
  return utf8(['cotune:seal:1', runId, round, baseDigest, senderId, keyId].join('\0'))
}

export function tooLarge(sizeBytes: number, maxBytes: number): CotuneError {
  return new CotuneError(
    'UPDATE_TOO_LARGE',
    `The update has ${sizeBytes} bytes; ${maxBytes} are allowed.`,
    {
      hint: 'Use a lower rank, fewer target modules, or int8 updates.',
      data: { sizeBytes, maxBytes },
    },
  )
}

export function wrongRecipient(manifest: Manifest): CotuneError {
  return new CotuneError('SEAL_WRONG_RECIPIENT', 'The update is sealed to another key.', {
    hint: 'The device seals to the key that the round names; it will seal again in the next round.',
    data: { blobId: manifest.blobId, keyId: manifest.seal?.recipientKeyId },
  })
}

function tampered(manifest: Manifest, what: string, cause: unknown): CotuneError {
  return new CotuneError('SEAL_TAMPERED', `The update was changed: ${what} does not open.`, {
    hint: 'It was dropped; the device offers a new one in the next round.',
    cause,
    data: { blobId: manifest.blobId },
  })
}

function truncated(manifest: Manifest, what: string): CotuneError {
  return new CotuneError('SEAL_TRUNCATED', `The update is not whole: ${what}.`, {
    hint: 'Fetch it again.',
    data: { blobId: manifest.blobId },
  })
}
