import { CotuneError, sha256Hex } from '#base'
import { chunkLength, type Manifest, openManifest } from './manifest.ts'

/**
 * Blobs by digest, whole or in part. What is put survives a kill at any moment, or was never there;
 * every chunk is checked against its hash when it goes in and when it comes out.
 */
export interface BlobStore {
  /**
   * Begins a blob, or finds it begun.
   * @throws what `openManifest` throws, BLOB_MISMATCH when it is not `blobId`'s
   */
  putManifest(blobId: string, manifest: Uint8Array): Promise<void>
  /** The signed manifest's bytes. */
  manifest(blobId: string): Promise<Uint8Array | undefined>
  /** @throws BLOB_CORRUPT when it is not what the manifest says, BLOB_UNKNOWN without a manifest */
  putChunk(blobId: string, index: number, chunk: Uint8Array): Promise<void>
  /** The chunk, or undefined when it is not held or turned out damaged. */
  chunk(blobId: string, index: number): Promise<Uint8Array | undefined>
  /** Indices of the chunks not held; undefined without a manifest. */
  missing(blobId: string): Promise<readonly number[] | undefined>
  /** Ids of all blobs, whole or begun. */
  list(): Promise<readonly string[]>
  remove(blobId: string): Promise<void>
}

/** A blob ready to be stored and served. */
export interface PackedBlob {
  readonly blobId: string
  readonly manifest: Uint8Array
  readonly chunks: readonly Uint8Array[]
}

/** Puts a packed blob into a store. */
export async function storeBlob(store: BlobStore, blob: PackedBlob): Promise<void> {
  await store.putManifest(blob.blobId, blob.manifest)
  for (const [index, chunk] of blob.chunks.entries()) {
    await store.putChunk(blob.blobId, index, chunk)
  }
}

/** The manifest of `bytes`, which must be that of `blobId`. @throws BLOB_MISMATCH */
export function manifestOf(blobId: string, bytes: Uint8Array): Manifest {
  const manifest = openManifest(bytes)
  if (manifest.blobId === blobId) return manifest
  throw new CotuneError('BLOB_MISMATCH', `The manifest is not that of ${blobId}.`, {
    hint: 'The peer is faulty or lies; another holder is asked.',
    data: { blobId, found: manifest.blobId },
  })
}

/** Checks a chunk against its manifest. @throws BLOB_CORRUPT */
export function checkChunk(manifest: Manifest, index: number, chunk: Uint8Array): void {
  const expected = manifest.chunkHashes[index]
  if (
    expected !== undefined &&
    chunk.length === chunkLength(manifest, index) &&
    sha256Hex(chunk) === expected
  ) {
    return
  }
  throw new CotuneError('BLOB_CORRUPT', `Chunk ${index} of ${manifest.blobId} is damaged.`, {
    hint: 'It was dropped; another holder is asked.',
    data: { blobId: manifest.blobId, index },
  })
}

export function unknownBlob(blobId: string): CotuneError {
  return new CotuneError('BLOB_UNKNOWN', `There is no manifest of ${blobId}.`, {
    hint: 'Fetch the manifest first.',
    data: { blobId },
  })
}
