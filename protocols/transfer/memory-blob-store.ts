import { type BlobStore, checkChunk, manifestOf, unknownBlob } from './blob-store.ts'
import type { Manifest } from './manifest.ts'

interface Held {
  readonly bytes: Uint8Array
  readonly manifest: Manifest
  readonly chunks: Map<number, Uint8Array>
}

/** A store that forgets everything with its process: for tests and tools. */
export class MemoryBlobStore implements BlobStore {
  readonly #held = new Map<string, Held>()

  async putManifest(blobId: string, bytes: Uint8Array): Promise<void> {
    const manifest = manifestOf(blobId, bytes)
    if (!this.#held.has(blobId)) this.#held.set(blobId, { bytes, manifest, chunks: new Map() })
  }

  async manifest(blobId: string): Promise<Uint8Array | undefined> {
    return this.#held.get(blobId)?.bytes
  }

  async putChunk(blobId: string, index: number, chunk: Uint8Array): Promise<void> {
    const held = this.#held.get(blobId)
    if (!held) throw unknownBlob(blobId)
    checkChunk(held.manifest, index, chunk)
    held.chunks.set(index, chunk)
  }

  async chunk(blobId: string, index: number): Promise<Uint8Array | undefined> {
    return this.#held.get(blobId)?.chunks.get(index)
  }

  async missing(blobId: string): Promise<readonly number[] | undefined> {
    const held = this.#held.get(blobId)
    return held && [...held.manifest.chunkHashes.keys()].filter((index) => !held.chunks.has(index))
  }

  async list(): Promise<readonly string[]> {
    return [...this.#held.keys()]
  }

  async remove(blobId: string): Promise<void> {
    this.#held.delete(blobId)
  }
}
