import type { Clock, EventLog } from '#base'
import type { PeerEvent, PeerInfo, PeerState } from '#protocols/api'
import type { MeshNode } from '#protocols/mesh'
import type { CloudStore } from '../store/cloud-store.ts'
import type { Member } from '../store/members.ts'

export interface PeerBoardComponents {
  readonly store: CloudStore
  readonly mesh: Pick<MeshNode, 'links' | 'traffic'>
  readonly events: EventLog<PeerEvent>
  readonly clock: Clock
}

/** The devices of the mesh as screens show them: who is there, what each is doing, and why one is not well. */
export class PeerBoard {
  readonly #components: PeerBoardComponents

  constructor(components: PeerBoardComponents) {
    this.#components = components
  }

  /** Tells screens of a member again. */
  changed(peerId: string): void {
    const member = this.#components.store.members.get(peerId)
    if (member) this.#components.events.emit({ type: 'peer', peer: this.#describe(member) })
  }

  all(): readonly PeerInfo[] {
    return this.#components.store.members.all().map((member) => this.#describe(member))
  }

  isOnline(peerId: string): boolean {
    return this.#components.mesh.links().some((link) => link.peerId === peerId)
  }

  /** Members in good standing that are connected. */
  online(): readonly string[] {
    const linked = new Set(this.#components.mesh.links().map(({ peerId }) => peerId))
    return this.#components.store.members
      .active()
      .map(({ peerId }) => peerId)
      .filter((peerId) => linked.has(peerId))
  }

  /** Whether a device is there and owes the open round its update: then it tunes, as far as can be told from here. */
  isAtWork(peerId: string): boolean {
    const { rounds, contributions } = this.#components.store
    const open = rounds.unfinished()
    if (open?.phase !== 'collecting' || !this.isOnline(peerId)) return false
    return contributions.get(open.round, peerId) === undefined
  }

  #describe(member: Member): PeerInfo {
    const { mesh, store } = this.#components
    const { peerId, name } = member
    const link = mesh.links().find((each) => each.peerId === peerId)
    const traffic = mesh.traffic().peers[peerId]
    return {
      id: peerId,
      name,
      role: 'device',
      ...this.#state(member, link !== undefined),
      connected: link !== undefined,
      rttMs: link?.rttMs ?? null,
      round: store.rounds.unfinished()?.round ?? null,
      // Known to the device alone.
      step: null,
      loss: null,
      bytesUp: traffic?.down ?? 0,
      bytesDown: traffic?.up ?? 0,
      lastSeen: link ? this.#components.clock.now() : member.lastSeen,
    }
  }

  #state(member: Member, connected: boolean): { state: PeerState; reason: string } {
    if (member.revokedAt !== null)
      return { state: 'down', reason: `revoked: ${member.reason || 'no reason given'}` }
    if (!connected)
      return { state: 'down', reason: 'not connected; start its daemon or check its network' }
    const round = this.#components.store.rounds.unfinished()
    const contribution =
      round && this.#components.store.contributions.get(round.round, member.peerId)
    if (contribution?.state === 'offered') return { state: 'syncing', reason: '' }
    if (contribution?.state === 'refused')
      return { state: 'waiting', reason: `its update was refused: ${contribution.reason}` }
    if (contribution) return { state: 'waiting', reason: '' }
    return { state: this.isAtWork(member.peerId) ? 'training' : 'idle', reason: '' }
  }
}
