import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFolder, writeFileAtomic } from '#base'
import { LIMITS } from '#protocols/messages'
import { Bitmap } from './bitmap.ts'
import { type BlobStore, checkChunk, manifestOf, unknownBlob } from './blob-store.ts'
import { chunkLength, type Manifest } from './manifest.ts'

const BLOB_ID = /^[0-9a-f]{64}$/

/**
 * A folder a blob: `manifest`, `data` (chunks at their offsets) and `bitmap` (the chunks that are
 * there). A chunk is written and synced before its bit, so that after a kill or a power cut a set
 * bit tells the truth; should a disk lie, the hash on reading finds out and the chunk counts as
 * missing.
 */
export class FileBlobStore implements BlobStore {
  readonly #dir: string
  /** Writers of one blob take turns: the bitmap is read, changed and written. */
  readonly #turns = new Map<string, Promise<unknown>>()

  constructor(dir: string) {
    this.#dir = dir
  }

  async putManifest(blobId: string, bytes: Uint8Array): Promise<void> {
    manifestOf(blobId, bytes)
    if (await this.manifest(blobId)) return
    await mkdir(this.#path(blobId), { recursive: true, mode: 0o700 })
    await syncFolder(this.#dir)
    await writeFileAtomic(this.#path(blobId, 'manifest'), bytes, 0o600)
  }

  async manifest(blobId: string): Promise<Uint8Array | undefined> {
    return readIfThere(this.#path(blobId, 'manifest'))
  }

  async putChunk(blobId: string, index: number, chunk: Uint8Array): Promise<void> {
    const manifest = await this.#require(blobId)
    checkChunk(manifest, index, chunk)
    await this.#inTurn(blobId, async () => {
      const bitmap = await this.#bitmap(manifest)
      if (bitmap.has(index)) return
      await writeAt(this.#path(blobId, 'data'), chunk, index * LIMITS.chunkBytes)
      bitmap.add(index)
      await writeFileAtomic(this.#path(blobId, 'bitmap'), bitmap.bytes, 0o600)
    })
  }

  async chunk(blobId: string, index: number): Promise<Uint8Array | undefined> {
    const manifest = await this.#find(blobId)
    if (!manifest || !(await this.#bitmap(manifest)).has(index)) return undefined
    try {
      const chunk = await readAt(
        this.#path(blobId, 'data'),
        index * LIMITS.chunkBytes,
        chunkLength(manifest, index),
      )
      checkChunk(manifest, index, chunk)
      return chunk
    } catch {
      await this.#inTurn(blobId, async () => {
        const bitmap = await this.#bitmap(manifest)
        bitmap.delete(index)
        await writeFileAtomic(this.#path(blobId, 'bitmap'), bitmap.bytes, 0o600)
      })
      return undefined
    }
  }

  async missing(blobId: string): Promise<readonly number[] | undefined> {
    const manifest = await this.#find(blobId)
    return manifest && (await this.#bitmap(manifest)).missing()
  }

  async list(): Promise<readonly string[]> {
    const names = await readdir(this.#dir).catch(() => [])
    return names.filter((name) => BLOB_ID.test(name))
  }

  async remove(blobId: string): Promise<void> {
    await this.#inTurn(blobId, () => rm(this.#path(blobId), { recursive: true, force: true }))
  }

  async #find(blobId: string): Promise<Manifest | undefined> {
    const bytes = await this.manifest(blobId)
    return bytes && manifestOf(blobId, bytes)
  }

  async #require(blobId: string): Promise<Manifest> {
    const manifest = await this.#find(blobId)
    if (!manifest) throw unknownBlob(blobId)
    return manifest
  }

  async #bitmap(manifest: Manifest): Promise<Bitmap> {
    const bytes = await readIfThere(this.#path(manifest.blobId, 'bitmap'))
    return new Bitmap(manifest.chunkHashes.length, bytes)
  }

  async #inTurn<T>(blobId: string, action: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(blobId) ?? Promise.resolve()
    const turn = before.catch(() => undefined).then(action)
    this.#turns.set(blobId, turn)
    try {
      return await turn
    } finally {
      if (this.#turns.get(blobId) === turn) this.#turns.delete(blobId)
    }
  }

  /** A blob id comes from peers: only a digest becomes a path. */
  #path(blobId: string, ...rest: readonly string[]): string {
    if (!BLOB_ID.test(blobId)) throw unknownBlob(blobId)
    return join(this.#dir, blobId, ...rest)
  }
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return new Uint8Array(await readFile(path))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function writeAt(path: string, bytes: Uint8Array, offset: number): Promise<void> {
  // Not 'w', which would empty the file, and not 'a', which ignores the offset.
  const file = await open(path, 'r+', 0o600).catch(() => open(path, 'w+', 0o600))
  try {
    await file.write(bytes, 0, bytes.length, offset)
    await file.datasync()
  } finally {
    await file.close()
  }
}

async function readAt(path: string, offset: number, length: number): Promise<Uint8Array> {
  const file = await open(path, 'r')
  try {
    const bytes = new Uint8Array(length)
    const { bytesRead } = await file.read(bytes, 0, length, offset)
    return bytes.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
