import type { DevicePhase, RoundInfo, RoundParticipant } from '#protocols/api'
import type { CloudStore } from '../store/cloud-store.ts'
import type { Contribution, ContributionState } from '../store/contributions.ts'
import type { RoundRow } from '../store/rounds.ts'

const PHASE_OF: Readonly<Record<ContributionState, DevicePhase>> = {
  offered: 'offered',
  received: 'received',
  merged: 'received',
  refused: 'refused',
}

/** Finished tries that a status lists. */
const HISTORY = 100

export interface RoundViewComponents {
  readonly store: CloudStore
  /** Whether a device tunes for the open round. */
  readonly isAtWork: (peerId: string) => boolean
  readonly isOnline: (peerId: string) => boolean
}

/** Rounds as screens show them. */
export class RoundView {
  readonly #components: RoundViewComponents

  constructor(components: RoundViewComponents) {
    this.#components = components
  }

  /** The try under way, else the newest one; null before the first. */
  current(): RoundInfo | null {
    const { rounds } = this.#components.store
    const row = rounds.unfinished() ?? rounds.latest()
    return row ? this.of(row) : null
  }

  /** The newest finished tries, oldest first. */
  history(): readonly RoundInfo[] {
    return this.#components.store.rounds
      .finished()
      .slice(-HISTORY)
      .map((row) => this.of(row))
  }

  of(row: RoundRow): RoundInfo {
    const participants = this.#participants(row.round)
    return {
      round: row.round,
      rounds: Math.max(this.#components.store.run.get().rounds, row.round),
      phase: row.phase === 'collecting' && this.#nobodyIsThere() ? 'waiting' : row.phase,
      quorum: row.quorum,
      openedAt: row.openedAt,
      deadline: row.deadline,
      participants,
      reason: row.reason,
      energyDropped: row.energyDropped,
      finishedAt: row.finishedAt,
    }
  }

  #participants(round: number): readonly RoundParticipant[] {
    const { store } = this.#components
    const contributions = new Map(store.contributions.of(round).map((row) => [row.device, row]))
    return store.members
      .all()
      .filter(({ peerId, revokedAt }) => revokedAt === null || contributions.has(peerId))
      .map(({ peerId, name }) => {
        const contribution = contributions.get(peerId)
        const phase = contribution ? PHASE_OF[contribution.state] : this.#unheardOf(peerId, round)
        return { id: peerId, name, phase, ...amounts(contribution) }
      })
  }

  /** A round begins with domain tuning; which step it has come to only the device knows. */
  #unheardOf(peerId: string, round: number): DevicePhase {
    const { store, isAtWork } = this.#components
    return store.rounds.unfinished()?.round === round && isAtWork(peerId) ? 'dst' : 'idle'
  }

  #nobodyIsThere(): boolean {
    const { store, isOnline } = this.#components
    return !store.members.active().some(({ peerId }) => isOnline(peerId))
  }
}

function amounts(contribution: Contribution | undefined): { bytes: number; reason: string } {
  return { bytes: contribution?.sizeBytes ?? 0, reason: contribution?.reason ?? '' }
}
