import { mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createIdentity } from '#protocols/mesh'
import { type BlobStore, FileBlobStore, MemoryBlobStore, storeBlob } from '#protocols/transfer'
import { packed } from '../support/packed.ts'

const signer = createIdentity()
const CHUNK = 256 * 1024
const blob = packed(signer, 2 * CHUNK + 100)
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cotune-blobs-'))
})
afterAll(() => rm(folder, { recursive: true }))

const stores: Record<string, () => Promise<BlobStore>> = {
  MemoryBlobStore: async () => new MemoryBlobStore(),
  FileBlobStore: async () => new FileBlobStore(await mkdtemp(join(folder, 'store-'))),
}

describe.each(Object.entries(stores))('%s', (_name, create) => {
  it('knows nothing at first', async () => {
    const store = await create()
    expect(await store.list()).toEqual([])
    expect(await store.manifest(blob.blobId)).toBeUndefined()
    expect(await store.missing(blob.blobId)).toBeUndefined()
    expect(await store.chunk(blob.blobId, 0)).toBeUndefined()
    await store.remove(blob.blobId)
  })

  it('gives back what was put, and says what is missing', async () => {
    const store = await create()
    await store.putManifest(blob.blobId, blob.manifest)
    expect(await store.missing(blob.blobId)).toEqual([0, 1, 2])
    await store.putChunk(blob.blobId, 2, blob.chunks[2]!)
    expect(await store.missing(blob.blobId)).toEqual([0, 1])
    await storeBlob(store, blob)
    expect(await store.missing(blob.blobId)).toEqual([])
    expect(await store.list()).toEqual([blob.blobId])
    expect(Buffer.from((await store.manifest(blob.blobId))!)).toEqual(Buffer.from(blob.manifest))
    for (const [i, chunk] of blob.chunks.entries()) {
      expect(Buffer.compare((await store.chunk(blob.blobId, i))!, chunk)).toBe(0)
    }
  })

  it('takes chunks put at the same time', async () => {
    const store = await create()
    await store.putManifest(blob.blobId, blob.manifest)
    await Promise.all(blob.chunks.map((chunk, i) => store.putChunk(blob.blobId, i, chunk)))
    expect(await store.missing(blob.blobId)).toEqual([])
  })

  it('refuses a wrong chunk, a chunk in the wrong place, and one without a manifest', async () => {
    const store = await create()
    const put = (index: number, chunk: Uint8Array) => store.putChunk(blob.blobId, index, chunk)
    await expect(put(0, blob.chunks[0]!)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
    await store.putManifest(blob.blobId, blob.manifest)
    const changed = Uint8Array.from(blob.chunks[0]!)
    changed[77]! ^= 1
    for (const [index, chunk] of [
      [0, changed],
      [1, blob.chunks[0]!],
      [0, blob.chunks[0]!.subarray(1)],
      [3, blob.chunks[0]!],
    ] as const) {
      await expect(put(index, chunk)).rejects.toMatchObject({ code: 'BLOB_CORRUPT' })
    }
    expect(await store.missing(blob.blobId)).toEqual([0, 1, 2])
  })

  it("refuses another blob's manifest", async () => {
    const store = await create()
    const other = packed(signer, 100, 'other')
    await expect(store.putManifest(blob.blobId, other.manifest)).rejects.toMatchObject({
      code: 'BLOB_MISMATCH',
    })
  })

  it('removes', async () => {
    const store = await create()
    await storeBlob(store, blob)
    await store.remove(blob.blobId)
    expect(await store.list()).toEqual([])
    expect(await store.chunk(blob.blobId, 0)).toBeUndefined()
  })
})

describe('FileBlobStore on disk', () => {
  it('goes on where another process stopped', async () => {
    const dir = await mkdtemp(join(folder, 'resume-'))
    const before = new FileBlobStore(dir)
    await before.putManifest(blob.blobId, blob.manifest)
    await before.putChunk(blob.blobId, 1, blob.chunks[1]!)
    const after = new FileBlobStore(dir)
    expect(await after.missing(blob.blobId)).toEqual([0, 2])
    expect((await readdir(join(dir, blob.blobId))).sort()).toEqual(['bitmap', 'data', 'manifest'])
  })

  it('finds a flipped bit on reading and wants the chunk again', async () => {
    const dir = await mkdtemp(join(folder, 'flip-'))
    const store = new FileBlobStore(dir)
    await storeBlob(store, blob)
    const file = await open(join(dir, blob.blobId, 'data'), 'r+')
    await file.write(new Uint8Array([blob.chunks[1]![5]! ^ 4]), 0, 1, CHUNK + 5)
    await file.close()
    expect(await store.chunk(blob.blobId, 1)).toBeUndefined()
    expect(await store.missing(blob.blobId)).toEqual([1])
    await store.putChunk(blob.blobId, 1, blob.chunks[1]!)
    expect(await store.chunk(blob.blobId, 1)).toBeDefined()
  })

  it('takes a damaged bitmap for an empty one', async () => {
    const dir = await mkdtemp(join(folder, 'bitmap-'))
    const store = new FileBlobStore(dir)
    await storeBlob(store, blob)
    await writeFile(join(dir, blob.blobId, 'bitmap'), 'far too long for three chunks')
    expect(await store.missing(blob.blobId)).toEqual([0, 1, 2])
  })

  it('makes no path of an id that is no digest', async () => {
    const store = new FileBlobStore(await mkdtemp(join(folder, 'path-')))
    await expect(store.manifest('../../etc/passwd')).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
  })
})
