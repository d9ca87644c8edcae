import { type Clock, CotuneError, isCotuneError, systemClock } from '#base'
import { type MeshNode, RateLimit, type StreamCall } from '#protocols/mesh'
import { LIMITS } from '#protocols/messages'
import { Bitmap } from './bitmap.ts'
import { type BlobRequest, type BlobResponse, blobRequest, blobResponse } from './blob-messages.ts'
import type { BlobStore } from './blob-store.ts'
import { BLOB_PROTOCOL } from './constants.ts'
import { type FetchProgress, fetchFrom } from './fetch-blob.ts'
import type { Manifest } from './manifest.ts'

export interface BlobExchangeComponents {
  readonly mesh: Pick<MeshNode, 'handle' | 'open'>
  readonly store: BlobStore
  readonly clock?: Clock
}

export interface BlobExchangeInit {
  /** Requests a minute that one peer may make; nearly all are for chunks of 256 KiB. */
  readonly requestsPerMinutePerPeer?: number
  /**
   * Requests under way at a time when fetching: more fill a long link, fewer keep control messages
   * quick.
   */
  readonly maxInFlight?: number
}

export interface FetchOptions {
  /** Peers to ask, in this order. */
  readonly holders: readonly string[]
  /** Judges the manifest before a chunk is asked for: throws to refuse the blob. */
  readonly accept?: (manifest: Manifest) => void
  readonly onProgress?: (progress: FetchProgress) => void
  readonly signal?: AbortSignal
}

/** Serves the blobs of a store to members and fetches others into it. */
export class BlobExchange {
  readonly #mesh: Pick<MeshNode, 'handle' | 'open'>
  readonly #store: BlobStore
  readonly #clock: Clock
  readonly #quota: RateLimit
  readonly #maxInFlight: number
  readonly #fetching = new Map<string, Promise<Manifest>>()

  constructor(components: BlobExchangeComponents, init: BlobExchangeInit = {}) {
    this.#mesh = components.mesh
    this.#store = components.store
    this.#clock = components.clock ?? systemClock
    this.#maxInFlight = init.maxInFlight ?? 8
    const perMinute = init.requestsPerMinutePerPeer ?? 4 * LIMITS.chunks
    this.#quota = new RateLimit({ perMinute, burst: perMinute, now: () => this.#clock.now() })
  }

  /** Answers `/cotune/blob/1`. */
  async serve(): Promise<void> {
    await this.#mesh.handle(BLOB_PROTOCOL, (call) => this.#answerAll(call))
  }

  /**
   * Fetches a blob into the store, going on where an earlier attempt stopped; chunks from any
   * holder mix. A holder that fails or lies is left for the next. One fetch of a blob at a time; a
   * second caller waits for the first.
   * @throws BLOB_UNAVAILABLE when no holder had the rest, what `accept` throws, or the signal's
   * reason
   */
  async fetch(blobId: string, options: FetchOptions): Promise<Manifest> {
    const underway = this.#fetching.get(blobId)
    if (underway !== undefined) return underway
    const fetching = this.#fetch(blobId, options)
    this.#fetching.set(blobId, fetching)
    try {
      return await fetching
    } finally {
      this.#fetching.delete(blobId)
    }
  }

  async #fetch(blobId: string, options: FetchOptions): Promise<Manifest> {
    const failures: Record<string, string> = {}
    for (const holder of options.holders) {
      options.signal?.throwIfAborted()
      try {
        return await fetchFrom(
          {
            mesh: this.#mesh,
            store: this.#store,
            clock: this.#clock,
            maxInFlight: this.#maxInFlight,
          },
          { ...options, blobId, holder },
        )
      } catch (error) {
        options.signal?.throwIfAborted()
        if (isCotuneError(error, 'BLOB_REFUSED')) throw error.cause
        failures[holder] = isCotuneError(error) ? error.code : String(error)
      }
    }
    throw new CotuneError('BLOB_UNAVAILABLE', `No peer could give the rest of ${blobId}.`, {
      hint: 'It is tried again when a holder is connected.',
      data: { blobId, failures },
    })
  }

  async #answerAll({ peerId, stream, signal }: StreamCall): Promise<void> {
    for (;;) {
      const frame = await stream.read(signal)
      if (!frame) return
      const answer = await this.#answer(peerId, blobRequest.decode(frame))
      await stream.write(blobResponse.encode(answer), signal)
    }
  }

  async #answer(peerId: string, { blobId, want, index }: BlobRequest): Promise<BlobResponse> {
    if (!this.#quota.take(peerId)) {
      return { kind: 'reject', reason: 'BLOB_BUSY', retryAfterMs: 1_000 }
    }
    const unknown = { kind: 'reject', reason: 'BLOB_UNKNOWN', retryAfterMs: 0 } as const
    if (want === 'manifest') {
      const data = await this.#store.manifest(blobId)
      return data ? { kind: 'manifest', data } : unknown
    }
    if (want === 'have') return (await this.#have(blobId)) ?? unknown
    const data = await this.#store.chunk(blobId, index)
    return data ? { kind: 'chunk', index, data } : unknown
  }

  async #have(blobId: string): Promise<BlobResponse | undefined> {
    const missing = await this.#store.missing(blobId)
    const manifest = await this.#store.manifest(blobId)
    if (!missing || !manifest) return undefined
    const bitmap = new Bitmap(LIMITS.chunks)
    for (let index = 0; index < LIMITS.chunks; index++) bitmap.add(index)
    for (const index of missing) bitmap.delete(index)
    return { kind: 'have', data: bitmap.bytes }
  }
}
