import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { CotuneError, concatBytes, systemClock } from '#base'
import { createIdentity } from '#protocols/mesh'
import {
  BLOB_PROTOCOL,
  BlobExchange,
  type BlobStore,
  FileBlobStore,
  MemoryBlobStore,
  readVersion,
  storeBlob,
} from '#protocols/transfer'
import { startNode, type TestNode } from '../support/mesh-nodes.ts'
import { packed, someBytes } from '../support/packed.ts'

const CHUNK = 256 * 1024

describe('BlobExchange', () => {
  const running: TestNode[] = []
  const members = new Set<string>()
  const start = async (
    store: BlobStore = new MemoryBlobStore(),
    init = {},
    clock = systemClock,
  ) => {
    const made = await startNode(members)
    running.push(made)
    members.add(made.identity.peerId)
    const exchange = new BlobExchange({ mesh: made.node, store, clock }, init)
    await exchange.serve()
    return { ...made, store, exchange }
  }
  const link = (from: TestNode, to: TestNode) =>
    from.node.connect(to.node.peerId, to.node.addresses())
  afterEach(async () => {
    await Promise.all(running.splice(0).map(({ node }) => node.stop()))
    members.clear()
  })

  it('moves a blob of many chunks between file stores', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cotune-move-'))
    const holder = await start(new FileBlobStore(join(folder, 'a')))
    const taker = await start(new FileBlobStore(join(folder, 'b')))
    const blob = packed(holder.identity, 9 * CHUNK + 3)
    await storeBlob(holder.store, blob)
    await link(taker, holder)
    const steps: number[] = []
    await taker.exchange.fetch(blob.blobId, {
      holders: [holder.node.peerId],
      onProgress: ({ missing }) => steps.push(missing),
    })
    expect(steps).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0])
    const read = await readVersion(taker.store, blob.blobId, holder.identity.peerId)
    expect(Buffer.compare(read.content, someBytes(9 * CHUNK + 3))).toBe(0)
    expect(Buffer.compare(read.content, concatBytes(blob.chunks))).toBe(0)
    await rm(folder, { recursive: true })
  })

  it('goes on from what is there and from whoever holds the rest', async () => {
    const author = createIdentity()
    const blob = packed(author, 4 * CHUNK)
    const [first, second, taker] = [await start(), await start(), await start()]
    for (const [store, indices] of [
      [first.store, [0, 1]],
      [second.store, [1, 2, 3]],
      [taker.store, [3]],
    ] as const) {
      await store.putManifest(blob.blobId, blob.manifest)
      for (const i of indices) await store.putChunk(blob.blobId, i, blob.chunks[i]!)
    }
    await link(taker, first)
    await link(taker, second)
    const moved: string[] = []
    await taker.exchange.fetch(blob.blobId, {
      holders: [first.node.peerId, second.node.peerId],
      onProgress: ({ holder }) => moved.push(holder),
    })
    expect(moved).toEqual([first.node.peerId, first.node.peerId, second.node.peerId])
    expect(await taker.store.missing(blob.blobId)).toEqual([])
  })

  it('leaves a holder that lies and takes the blob of an honest one', async () => {
    const author = createIdentity()
    const blob = packed(author, 2 * CHUNK)
    const honest = await start()
    await storeBlob(honest.store, blob)
    const lying = new MemoryBlobStore()
    await storeBlob(lying, blob)
    lying.chunk = async () => new Uint8Array(CHUNK).fill(66)
    const liar = await start(lying)
    const taker = await start()
    await link(taker, liar)
    await link(taker, honest)
    await taker.exchange.fetch(blob.blobId, {
      holders: [liar.node.peerId, honest.node.peerId],
    })
    expect(await taker.store.missing(blob.blobId)).toEqual([])
    await expect(
      (await start()).exchange.fetch('00'.repeat(32), { holders: [] }),
    ).rejects.toMatchObject({ code: 'BLOB_UNAVAILABLE' })
  })

  it('waits when the holder is busy', async () => {
    let hurried = 0
    const holderClock = { now: () => (hurried += 30_000), sleep: async () => undefined }
    const holder = await start(new MemoryBlobStore(), { requestsPerMinutePerPeer: 1 }, holderClock)
    const waits: number[] = []
    const takerClock = { now: Date.now, sleep: async (ms: number) => void waits.push(ms) }
    const taker = await start(new MemoryBlobStore(), {}, takerClock)
    const blob = packed(holder.identity, 3 * CHUNK)
    await storeBlob(holder.store, blob)
    await link(taker, holder)
    await taker.exchange.fetch(blob.blobId, { holders: [holder.node.peerId] })
    expect(await taker.store.missing(blob.blobId)).toEqual([])
    expect(waits.length).toBeGreaterThan(0)
    expect(new Set(waits)).toEqual(new Set([1_000]))
  })

  it('asks for no chunk of a blob that is not accepted', async () => {
    const holder = await start()
    const taker = await start()
    const blob = packed(holder.identity, 100)
    await storeBlob(holder.store, blob)
    await link(taker, holder)
    const fetching = taker.exchange.fetch(blob.blobId, {
      holders: [holder.node.peerId],
      accept: () => {
        throw new CotuneError('UPDATE_TOO_LARGE', 'no', { hint: '' })
      },
    })
    await expect(fetching).rejects.toMatchObject({ code: 'UPDATE_TOO_LARGE' })
    expect(await taker.store.list()).toEqual([])
  })

  it('survives garbage on its stream', async () => {
    const holder = await start()
    const taker = await start()
    await link(taker, holder)
    for (const junk of [new Uint8Array(0), someBytes(200), new Uint8Array(500).fill(255)]) {
      const stream = await taker.node.open(holder.node.peerId, BLOB_PROTOCOL)
      await stream.write(junk)
      await expect(stream.read()).rejects.toMatchObject({ code: 'PROTOCOL_CLOSED' })
    }
    const codes = holder.events.flatMap((e) => (e as { code?: string }).code ?? [])
    expect(codes.every((code) => code.startsWith('PROTOCOL_'))).toBe(true)
    expect(codes).toHaveLength(3)
    expect(holder.node.isConnected(taker.node.peerId)).toBe(true)
  })
})
