import { type Clock, errorMessage, type Logger, type Startable } from '#base'
import type { MemberDirectory } from '#protocols/membership'
import type { Identity, MeshNode } from '#protocols/mesh'
import {
  type Announcement,
  type AnnouncementBody,
  Announcements,
  type RunState,
  serveState,
  signAnnouncement,
} from '#protocols/rounds'
import type { BlobExchange } from '#protocols/transfer'
import type { CloudStore } from '../store/cloud-store.ts'
import type { Contribution } from '../store/contributions.ts'
import type { RoundRow } from '../store/rounds.ts'
import { type TermsInit, termsOf } from './terms.ts'
import type { UpdateIntake } from './update-intake.ts'

export interface RoundWireComponents {
  readonly store: CloudStore
  readonly mesh: Pick<MeshNode, 'publish' | 'subscribe' | 'handle'>
  readonly identity: Identity
  readonly directory: MemberDirectory
  readonly exchange: BlobExchange
  readonly intake: UpdateIntake
  readonly sealing: () => Pick<TermsInit, 'sealingKey' | 'maxUpdateBytes'>
  readonly clock: Clock
  readonly logger: Logger
}

const MAX_REASON_CHARS = 200

/**
 * Tells devices of rounds, receipts and versions: at once by gossip, and again to whoever asks. What is told is made from the
 * rows each time, so a restart has nothing to remember.
 */
export class RoundWire implements Startable {
  readonly #components: RoundWireComponents
  readonly #announcements: Announcements
  readonly #clock: Clock

  constructor(components: RoundWireComponents) {
    this.#components = components
    this.#clock = risingClock(components.clock)
    const { directory } = components
    const sending = { ...components, clock: this.#clock }
    this.#announcements = new Announcements(sending, {
      runId: directory.runId,
      cloudPeerId: directory.cloudPeerId,
      isMember: (peerId) => directory.isMember(peerId),
      onAnnouncement: (announcement) => this.#take(announcement),
    })
  }

  async start(): Promise<void> {
    const { mesh, directory, exchange, logger } = this.#components
    this.#announcements.listen()
    await exchange.serve()
    await serveState(mesh, {
      runId: directory.runId,
      stateFor: (peerId) => this.#stateFor(peerId),
      takeOffer: (offer) => {
        this.#announcements.take(offer)
      },
      onRefused: (error, peerId) =>
        logger.warn({ peerId, reason: errorMessage(error) }, 'an offer was refused'),
    })
  }

  async stop(): Promise<void> {
    // The handlers go with the mesh node.
  }

  /** Gossips what a round's change means to devices. */
  announceRound(row: RoundRow): void {
    for (const body of this.#bodiesOf(row)) this.#gossip(body)
  }

  /** Gossips the receipt of an update. */
  announceReceipt(contribution: Contribution): void {
    const receipt = receiptOf(contribution)
    if (receipt) this.#gossip(receipt)
  }

  #take({ body, signer }: Announcement): void {
    if (body.type !== 'update-offer') return
    const { round, blobId: blob, sizeBytes } = body
    // One that is settled is answered by the receipt: to who asks, not by gossip each time it is said again.
    this.#components.intake.offer({ round, device: signer, blob, sizeBytes })
  }

  #bodiesOf(row: RoundRow): readonly AnnouncementBody[] {
    const { store } = this.#components
    if (row.phase === 'collecting') return [this.#roundOpen(row)]
    if (row.phase === 'published') return [...this.#version(), this.#closed(row)]
    // A try that failed while the run goes on is followed by the next try at the same round: for devices it never ended.
    if (row.phase === 'aborted' && !store.run.get().running) return [this.#closed(row)]
    return []
  }

  #roundOpen(row: RoundRow): AnnouncementBody {
    const { store, directory, sealing } = this.#components
    const expected = Math.max(row.quorum, directory.list().length)
    return { type: 'round-open', ...termsOf(row, store, { ...sealing(), expected }) }
  }

  #version(): readonly AnnouncementBody[] {
    const version = this.#components.store.versions.latest()
    if (!version) return []
    const { version: round, blob: blobId, sizeBytes, baseDigest } = version
    return [{ type: 'version-published', round, blobId, baseDigest, sizeBytes }]
  }

  #closed({ round, phase, reason }: RoundRow): AnnouncementBody {
    const counted = this.#components.store.contributions.received(round).length
    if (phase === 'published') return { type: 'round-closed', round, outcome: 'published', counted }
    const text = printable(reason)
    return { type: 'round-closed', round, outcome: 'aborted', counted: 0, reason: text }
  }

  #stateFor(peerId: string): RunState {
    const { store, identity, directory } = this.#components
    const row = store.rounds.unfinished() ?? store.rounds.latest()
    const contribution = row && store.contributions.get(row.round, peerId)
    const receipt = contribution && receiptOf(contribution)
    const bodies = [
      ...this.#version(),
      ...(row && row.phase !== 'published' ? this.#bodiesOf(row) : []),
      ...(row?.phase === 'published' ? [this.#closed(row)] : []),
      ...(receipt ? [receipt] : []),
    ]
    return {
      now: this.#components.clock.now(),
      announcements: bodies.map(
        (body) => signAnnouncement(identity, directory.runId, body, this.#clock.now()).bytes,
      ),
      membersDigest: directory.digest(),
    }
  }

  #gossip(body: AnnouncementBody): void {
    const { logger } = this.#components
    this.#announcements.publish(body).catch((error: unknown) => {
      // Devices ask every few seconds: what gossip loses arrives a little later.
      logger.warn({ type: body.type, reason: errorMessage(error) }, 'could not gossip')
    })
  }
}

/** Never tells a time twice: of two announcements devices must see which is the later, also within a millisecond. */
function risingClock(clock: Clock): Clock {
  let last = 0
  return {
    now: () => {
      last = Math.max(last + 1, clock.now())
      return last
    },
    sleep: (ms, signal) => clock.sleep(ms, signal),
  }
}

function receiptOf(contribution: Contribution): AnnouncementBody | undefined {
  const { round, device: peerId, blob: blobId, state, reason } = contribution
  const about = { type: 'update-receipt', round, blobId, peerId } as const
  if (state === 'received' || state === 'merged') return { ...about, outcome: 'counted' }
  if (state === 'refused') return { ...about, outcome: 'refused', code: reason }
  return undefined
}

/** Reasons may quote an error's text: one line, and no longer than an announcement allows. */
function printable(text: string): string {
  const line = text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').slice(0, MAX_REASON_CHARS)
  return line === '' ? 'no reason given' : line
}
