import { CotuneError } from '#base'
import type { AdapterWeights } from '#learning/tuning'
import { fetchMembers, type MemberDirectory } from '#protocols/membership'
import type { Identity, MeshNode } from '#protocols/mesh'
import { type Announcement, type Announcements, fetchState } from '#protocols/rounds'
import { sealingKeyId, sealUpdate } from '#protocols/sealing'
import {
  type BlobExchange,
  type BlobStore,
  checkVersion,
  readVersion,
  storeBlob,
} from '#protocols/transfer'
import { encodeUpdate, type Precision } from '#protocols/update'
import type { CloudLink, PublishedVersion, SealedUpdate } from '../rounds/cloud-link.ts'
import type { RoundRow, RoundTerms } from '../store/round-store.ts'
import { EMPTY_VIEW, type RunView, reduceView } from './run-view.ts'

export interface MeshLinkComponents {
  readonly mesh: MeshNode
  readonly identity: Identity
  readonly directory: MemberDirectory
  readonly exchange: BlobExchange
  readonly blobs: BlobStore
  readonly announcements: Announcements
}

export interface MeshLinkInit {
  /** How the numbers of an update travel. */
  readonly precision: Precision
  /** The round that was under way when this device stopped: work on it goes on before the cloud peer is heard. */
  readonly open: RoundTerms | undefined
  /** Asks the cloud peer soon, see `ask`. */
  readonly onAskSoon: () => void
}

/** A sealed update stays good for a repeated attempt at its round, and a lost one does not lie about for ever. */
const UPDATE_LIFETIME_MS = 7 * 86_400_000

/** CloudLink over the mesh. */
export class MeshLink implements CloudLink {
  readonly #components: MeshLinkComponents
  readonly #init: MeshLinkInit
  readonly #listeners = new Set<() => void>()
  #view: RunView
  /** Our offer without a receipt, as signed: it goes along with every question. */
  #offer: { readonly blobId: string; readonly announcement: Announcement } | undefined

  constructor(components: MeshLinkComponents, init: MeshLinkInit) {
    this.#components = components
    this.#init = init
    this.#view = { ...EMPTY_VIEW, open: init.open }
  }

  get runId(): string {
    return this.#components.directory.runId
  }

  get cloudId(): string {
    return this.#components.directory.cloudPeerId
  }

  isConnected = () => this.#components.mesh.isConnected(this.cloudId)
  openRound = () => this.#view.open
  published = () => this.#view.published
  verdict = (blobId: string) => this.#view.verdicts.get(blobId)

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** A connection came or went. */
  changed(): void {
    for (const listener of this.#listeners) listener()
  }

  /** Takes an announcement that was found good. */
  take(announcement: Announcement): void {
    const { identity } = this.#components
    const view = reduceView(this.#view, announcement, identity.peerId)
    if (view === this.#view) return
    this.#view = view
    if (this.#offer && view.verdicts.has(this.#offer.blobId)) this.#offer = undefined
    this.changed()
  }

  /** Asks the cloud peer for what holds now, and for the members when its list is another than ours. */
  async ask(signal: AbortSignal): Promise<void> {
    if (!this.isConnected()) return
    const { mesh, announcements, directory } = this.#components
    const offer = this.#offer?.announcement.bytes
    const question = { runId: this.runId, ...(offer && { offer }) }
    const state = await fetchState(mesh, this.cloudId, question, signal)
    announcements.setCloudTime(state.now)
    for (const bytes of state.announcements) announcements.take(bytes)
    if (state.membersDigest !== directory.digest()) {
      await fetchMembers(mesh, this.cloudId, directory, signal)
    }
  }

  async seal(row: RoundRow, delta: AdapterWeights, counter: number): Promise<SealedUpdate> {
    const { identity, blobs } = this.#components
    const content = await encodeUpdate({ delta, examples: row.examples ?? 1 }, this.#init.precision)
    const recipient = { keyId: sealingKeyId(row.sealingKey), publicKey: row.sealingKey }
    const packed = await sealUpdate(identity, recipient, content, {
      runId: row.runId,
      round: row.round,
      baseDigest: row.baseDigest,
      expiresAt: expiryOf(row),
      counter,
    })
    const sizeBytes = packed.chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    if (sizeBytes > row.maxUpdateBytes) throw tooLarge(sizeBytes, row.maxUpdateBytes)
    await storeBlob(blobs, packed)
    return { blobId: packed.blobId, sizeBytes, counter }
  }

  /** By gossip once; when that was lost, with the next question. */
  async offer(row: RoundRow, note: (announcement: Uint8Array) => void): Promise<void> {
    const { announcements } = this.#components
    const blobId = row.sealed ?? ''
    if (this.#offer?.blobId !== blobId) {
      const announcement = announcements.sign({
        type: 'update-offer',
        round: row.round,
        blobId,
        sizeBytes: row.sealedBytes ?? 0,
        expiresAt: expiryOf(row),
      })
      note(announcement.bytes)
      this.#offer = { blobId, announcement }
      await announcements.repeat(announcement)
    }
    this.#init.onAskSoon()
  }

  async fetchVersion({ blobId }: PublishedVersion, signal: AbortSignal): Promise<Uint8Array> {
    const { exchange, blobs, mesh } = this.#components
    const neighbours = mesh
      .links()
      .filter(({ member, peerId }) => member && peerId !== this.cloudId)
    await exchange.fetch(blobId, {
      holders: [this.cloudId, ...neighbours.map(({ peerId }) => peerId)],
      accept: (manifest) => checkVersion(manifest, this.cloudId),
      signal,
    })
    const { content } = await readVersion(blobs, blobId, this.cloudId)
    return content
  }

  discard(blobId: string): Promise<void> {
    return this.#components.blobs.remove(blobId)
  }
}

function expiryOf(row: RoundRow): number {
  return row.deadline + UPDATE_LIFETIME_MS
}

function tooLarge(sizeBytes: number, maxBytes: number): CotuneError {
  return new CotuneError(
    'UPDATE_TOO_LARGE',
    `The update has ${sizeBytes} bytes; this run takes ${maxBytes}.`,
    {
      hint: 'Send int8 (updates.precision), or use a lower rank (tuning.rank).',
      data: { sizeBytes, maxBytes },
    },
  )
}
