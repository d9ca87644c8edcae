import { CotuneError, concatBytes, sha256Hex } from '#base'
import { LIMITS, type Signer } from '#protocols/messages'
import { type BlobStore, manifestOf, type PackedBlob } from './blob-store.ts'
import {
  encodeCore,
  MAX_BLOB_BYTES,
  type Manifest,
  type ManifestCore,
  signManifest,
} from './manifest.ts'

/**
 * Packs a version of the proxy model's adapter: signed by the cloud peer and readable by every
 * member, so not sealed.
 * @throws UPDATE_TOO_LARGE
 */
export function packVersion(
  signer: Signer,
  content: Uint8Array,
  about: Pick<ManifestCore, 'runId' | 'round' | 'baseDigest' | 'expiresAt' | 'counter'>,
): PackedBlob {
  if (content.length > MAX_BLOB_BYTES || content.length === 0) throw tooLarge(content.length)
  const chunks = splitChunks(content)
  const size = { contentBytes: content.length, sizeBytes: content.length }
  const core = encodeCore({ ...about, ...size, kind: 'version' })
  return {
    ...signManifest(
      signer,
      core,
      chunks.map((chunk) => sha256Hex(chunk)),
    ),
    chunks,
  }
}

/** Views of `bytes`, 256 KiB each but the last. */
export function splitChunks(bytes: Uint8Array): readonly Uint8Array[] {
  const count = Math.ceil(bytes.length / LIMITS.chunkBytes)
  return Array.from({ length: count }, (_, i) =>
    bytes.subarray(i * LIMITS.chunkBytes, (i + 1) * LIMITS.chunkBytes),
  )
}

/**
 * The content of a version that lies whole in `store`.
 * @throws UPDATE_BAD_SIGNATURE when `cloudPeerId` has not signed it, BLOB_INCOMPLETE, BLOB_UNKNOWN,
 * UPDATE_WRONG_KIND
 */
export async function readVersion(
  store: BlobStore,
  blobId: string,
  cloudPeerId: string,
): Promise<{ readonly manifest: Manifest; readonly content: Uint8Array }> {
  const bytes = await store.manifest(blobId)
  if (!bytes) throw incomplete(blobId)
  const manifest = manifestOf(blobId, bytes)
  checkVersion(manifest, cloudPeerId)
  const chunks: Uint8Array[] = []
  for (let index = 0; index < manifest.chunkHashes.length; index++) {
    const chunk = await store.chunk(blobId, index)
    if (!chunk) throw incomplete(blobId)
    chunks.push(chunk)
  }
  return { manifest, content: concatBytes(chunks) }
}

/**
 * Whether a manifest is a version of the cloud peer's.
 * @throws UPDATE_BAD_SIGNATURE, UPDATE_WRONG_KIND
 */
export function checkVersion(manifest: Manifest, cloudPeerId: string): void {
  if (manifest.senderId !== cloudPeerId) {
    throw new CotuneError('UPDATE_BAD_SIGNATURE', 'The version was not signed by the cloud peer.', {
      hint: 'Somebody else published it; it was dropped.',
      data: { senderId: manifest.senderId },
    })
  }
  if (manifest.kind !== 'version' || manifest.seal) {
    throw new CotuneError('UPDATE_WRONG_KIND', `${manifest.blobId} is not a version.`, {
      hint: 'The peer runs another version or is faulty; update both sides.',
    })
  }
}

function tooLarge(sizeBytes: number): CotuneError {
  return new CotuneError('UPDATE_TOO_LARGE', `${sizeBytes} bytes do not fit a blob.`, {
    hint: `A blob has 1 to ${MAX_BLOB_BYTES} bytes; use a lower rank or fewer target modules.`,
    data: { sizeBytes, maxBytes: MAX_BLOB_BYTES },
  })
}

function incomplete(blobId: string): CotuneError {
  return new CotuneError('BLOB_INCOMPLETE', `Not all of ${blobId} is here.`, {
    hint: 'Fetch it first.',
    data: { blobId },
  })
}
