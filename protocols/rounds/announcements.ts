import { type Clock, systemClock } from '#base'
import type { MeshNode, Verdict } from '#protocols/mesh'
import type { Signer } from '#protocols/messages'
import { type Authority, openAnnouncement, signAnnouncement } from './announcement.ts'
import { ReplayWindow } from './replay-window.ts'
import type { Announcement, AnnouncementBody } from './types.ts'

export interface AnnouncementsComponents {
  readonly mesh: Pick<MeshNode, 'publish' | 'subscribe'>
  readonly identity: Signer
  readonly clock?: Clock
}

export interface AnnouncementsInit extends Authority {
  /**
   * Takes an announcement that is good; it may come again (by gossip and on asking), so taking one
   * twice must be harmless.
   */
  readonly onAnnouncement: (announcement: Announcement) => void
}

/**
 * A run's announcements: signs and gossips ours, lets others' through that are well-formed, signed,
 * allowed, in time and new.
 */
export class Announcements {
  readonly #components: AnnouncementsComponents
  readonly #init: AnnouncementsInit
  readonly #clock: Clock
  readonly #window = new ReplayWindow()
  #offsetMs = 0

  constructor(components: AnnouncementsComponents, init: AnnouncementsInit) {
    this.#components = components
    this.#init = init
    this.#clock = components.clock ?? systemClock
  }

  /** Begins to listen to gossip. */
  listen(): void {
    this.#components.mesh.subscribe((message) => this.#judge(message))
  }

  /** The cloud peer's time: our clock, put right by what it last told us. */
  now(): number {
    return this.#clock.now() + this.#offsetMs
  }

  /** Sets our offset from the cloud peer's clock, which `/cotune/state/1` tells. */
  setCloudTime(now: number): void {
    this.#offsetMs = now - this.#clock.now()
  }

  /** Signs and gossips. Returns what was signed, to be stored and given again on asking. */
  async publish(body: AnnouncementBody): Promise<Announcement> {
    const announcement = this.sign(body)
    await this.repeat(announcement)
    return announcement
  }

  /** Signs without a word to anybody, for who must note first what will leave. */
  sign(body: AnnouncementBody): Announcement {
    const { identity } = this.#components
    const announcement = signAnnouncement(identity, this.#init.runId, body, this.now())
    this.#window.judge(announcement, this.now())
    return announcement
  }

  /** Gossips what was signed before. */
  async repeat(announcement: Pick<Announcement, 'bytes'>): Promise<void> {
    await this.#components.mesh.publish(announcement.bytes)
  }

  /**
   * Takes an announcement that came directly, however old: on `/cotune/state/1`.
   * @throws ANNOUNCEMENT_WRONG_RUN, ANNOUNCEMENT_UNAUTHORISED, PROTOCOL_*
   */
  take(bytes: Uint8Array): Announcement {
    const announcement = openAnnouncement(bytes, this.#init)
    this.#init.onAnnouncement(announcement)
    return announcement
  }

  #judge(message: Uint8Array): Verdict {
    const announcement = openAnnouncement(message, this.#init)
    if (this.#window.judge(announcement, this.now()) !== 'fresh') return 'ignore'
    this.#init.onAnnouncement(announcement)
    return 'accept'
  }
}
