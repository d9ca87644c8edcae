import type { AdapterWeights } from '#learning/tuning'
import type { RoundRow, RoundTerms } from '../store/round-store.ts'

/** A version of the shared adapter that the cloud peer signed for. */
export interface PublishedVersion {
  readonly version: number
  /** Under which peers hold it; the cloud peer signed for it. */
  readonly blobId: string
}

/** What the cloud peer said about an update. */
export interface UpdateVerdict {
  readonly accepted: boolean
  /** Why not; empty when accepted. */
  readonly reason: string
}

export interface SealedUpdate {
  readonly blobId: string
  readonly sizeBytes: number
  readonly counter: number
}

/** The round runner's view of the mesh: what was heard, and the few things that are said. */
export interface CloudLink {
  readonly runId: string
  readonly cloudId: string
  isConnected(): boolean
  /** The round that collects, as last heard. */
  openRound(): RoundTerms | undefined
  /** The newest version, as last heard. */
  published(): PublishedVersion | undefined
  verdict(blobId: string): UpdateVerdict | undefined
  /** Calls back whenever one of the above may have changed. */
  onChange(listener: () => void): () => void
  /** Encodes, seals to the cloud peer and stores for serving; nothing leaves yet. Durable when it resolves. */
  seal(row: RoundRow, delta: AdapterWeights, counter: number): Promise<SealedUpdate>
  /** Tells the cloud peer that the sealed update may be fetched. `note` is given the announcement before the first byte goes. */
  offer(row: RoundRow, note: (announcement: Uint8Array) => void): Promise<void>
  /** Fetches a version from any holder and checks who signed it; resolves to its content, an adapter. */
  fetchVersion(version: PublishedVersion, signal: AbortSignal): Promise<Uint8Array>
  /** No longer serves a sealed update. */
  discard(blobId: string): Promise<void>
}
