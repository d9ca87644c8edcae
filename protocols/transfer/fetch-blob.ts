import { type Clock, CotuneError } from '#base'
import type { MeshNode } from '#protocols/mesh'
import type { Framed } from '#protocols/messages'
import { Bitmap } from './bitmap.ts'
import { type BlobRequest, type BlobResponse, blobRequest, blobResponse } from './blob-messages.ts'
import { type BlobStore, checkChunk, manifestOf } from './blob-store.ts'
import { BLOB_PROTOCOL } from './constants.ts'
import type { Manifest } from './manifest.ts'

export interface FetchProgress {
  readonly blobId: string
  readonly holder: string
  readonly chunks: number
  readonly missing: number
}

export interface FetchContext {
  readonly mesh: Pick<MeshNode, 'open'>
  readonly store: BlobStore
  readonly clock: Clock
  readonly maxInFlight: number
}

export interface FetchRequest {
  readonly blobId: string
  readonly holder: string
  readonly accept?: (manifest: Manifest) => void
  readonly onProgress?: (progress: FetchProgress) => void
  readonly signal?: AbortSignal
}

/**
 * Chunk round trips under this grow the window, over the other halve it, so that what queues on a
 * slow link stays under two seconds.
 */
const QUICK_MS = 500
const SLOW_MS = 2_000
const MAX_BUSY_WAITS = 120
const MAX_BUSY_WAIT_MS = 10_000

/**
 * Fetches what is missing of a blob from one holder.
 * @throws whatever ends the exchange; BLOB_REFUSED around what `accept` throws
 */
export async function fetchFrom(context: FetchContext, request: FetchRequest): Promise<Manifest> {
  const { mesh, store } = context
  const { blobId, holder, signal } = request
  const known = await store.manifest(blobId)
  if (known && (await store.missing(blobId))?.length === 0) return manifestOf(blobId, known)
  const stream = await mesh.open(holder, BLOB_PROTOCOL, signal)
  try {
    const manifest = await fetchManifest(stream, context, request)
    await fetchChunks(stream, manifest, context, request)
    await stream.close()
    return manifest
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(String(error)))
    throw error
  }
}

async function fetchManifest(
  stream: Framed,
  { store, clock }: FetchContext,
  { blobId, accept, signal }: FetchRequest,
): Promise<Manifest> {
  let bytes = await store.manifest(blobId)
  if (!bytes) {
    const answer = await ask(stream, clock, { blobId, want: 'manifest', index: 0 }, signal)
    if (answer.kind !== 'manifest') throw unexpected(answer)
    bytes = answer.data
  }
  const manifest = manifestOf(blobId, bytes)
  try {
    accept?.(manifest)
  } catch (cause) {
    throw new CotuneError('BLOB_REFUSED', `The blob ${blobId} is not wanted.`, {
      hint: 'The cause says why.',
      cause,
      data: { blobId },
    })
  }
  await store.putManifest(blobId, bytes)
  return manifest
}

async function fetchChunks(
  stream: Framed,
  manifest: Manifest,
  { store, clock, maxInFlight }: FetchContext,
  { blobId, holder, onProgress, signal }: FetchRequest,
): Promise<void> {
  const have = await ask(stream, clock, { blobId, want: 'have', index: 0 }, signal)
  if (have.kind !== 'have') throw unexpected(have)
  const held = new Bitmap(8 * have.data.length, have.data)
  const missing = (await store.missing(blobId)) ?? []
  const wanted = missing.filter((index) => held.has(index))
  const asked: { readonly index: number; readonly at: number }[] = []
  let window = Math.min(2, maxInFlight)
  let left = missing.length
  let busyWaits = 0

  while (wanted.length > 0 || asked.length > 0) {
    while (wanted.length > 0 && asked.length < window) {
      const index = wanted.shift()
      if (index === undefined) break
      await stream.write(blobRequest.encode({ blobId, want: 'chunk', index }), signal)
      asked.push({ index, at: performance.now() })
    }
    const expected = asked.shift()
    if (!expected) break
    const answer = await answerOf(stream, signal)
    if (isBusy(answer) && ++busyWaits < MAX_BUSY_WAITS) {
      wanted.push(expected.index)
      window = 1
      await clock.sleep(Math.min(answer.retryAfterMs, MAX_BUSY_WAIT_MS), signal)
      continue
    }
    if (answer.kind !== 'chunk' || answer.index !== expected.index) throw unexpected(answer)
    checkChunk(manifest, answer.index, answer.data)
    await store.putChunk(blobId, answer.index, answer.data)
    const tookMs = performance.now() - expected.at
    if (tookMs < QUICK_MS) window = Math.min(maxInFlight, window + 1)
    else if (tookMs > SLOW_MS) window = Math.max(1, window >> 1)
    left--
    onProgress?.({ blobId, holder, chunks: manifest.chunkHashes.length, missing: left })
  }
  if (left > 0) {
    throw new CotuneError('BLOB_INCOMPLETE', `${holder} has only a part of ${blobId}.`, {
      hint: 'The rest is asked of another holder.',
      data: { blobId, holder, missing: left },
    })
  }
}

/** Asks once more when the holder is busy. */
async function ask(
  stream: Framed,
  clock: Clock,
  request: BlobRequest,
  signal: AbortSignal | undefined,
): Promise<BlobResponse> {
  for (let busyWaits = 0; ; busyWaits++) {
    await stream.write(blobRequest.encode(request), signal)
    const answer = await answerOf(stream, signal)
    if (!isBusy(answer) || busyWaits === MAX_BUSY_WAITS) return answer
    await clock.sleep(Math.min(answer.retryAfterMs, MAX_BUSY_WAIT_MS), signal)
  }
}

function isBusy(answer: BlobResponse): answer is Extract<BlobResponse, { kind: 'reject' }> {
  return answer.kind === 'reject' && answer.reason === 'BLOB_BUSY'
}

async function answerOf(stream: Framed, signal: AbortSignal | undefined): Promise<BlobResponse> {
  const frame = await stream.read(signal)
  if (frame) return blobResponse.decode(frame)
  throw new CotuneError('PROTOCOL_CLOSED', 'The holder ended the stream before it had answered.', {
    hint: 'Another holder is asked.',
  })
}

function unexpected(answer: BlobResponse): CotuneError {
  const found = answer.kind === 'reject' ? answer.reason : answer.kind
  return new CotuneError('BLOB_UNKNOWN', `The holder answered ${found}.`, {
    hint: 'Another holder is asked.',
    data: { found },
  })
}
