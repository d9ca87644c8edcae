import { errorMessage, type Logger } from '#base'
import type { MeshEvent } from '#protocols/mesh'
import type { RoundRunner } from './rounds/round-runner.ts'
import type { RoundWire } from './rounds/round-wire.ts'
import { sweepBlobs } from './rounds/sweep-blobs.ts'
import type { UpdateIntake } from './rounds/update-intake.ts'
import type { SealingKeys } from './sealing-keys.ts'
import type { Narrator } from './status/narrator.ts'
import type { PeerBoard } from './status/peer-board.ts'
import type { CloudStore } from './store/cloud-store.ts'
import type { Contribution } from './store/contributions.ts'
import type { RoundRow } from './store/rounds.ts'

export interface ReactionsComponents {
  readonly store: CloudStore
  readonly runner: RoundRunner
  readonly wire: RoundWire
  readonly intake: UpdateIntake
  readonly keys: SealingKeys
  readonly board: PeerBoard
  readonly narrator: Narrator
  readonly logger: Logger
}

/** What follows from what: the one place where a service's news reaches the others. */
export class Reactions {
  readonly #components: ReactionsComponents

  constructor(components: ReactionsComponents) {
    this.#components = components
  }

  mesh(event: MeshEvent): void {
    const { store, narrator } = this.#components
    if (event.type === 'dial-failed') return
    if (event.type === 'refused') narrator.refused(event.peerId, event.what, event.code)
    else if (store.members.isActive(event.peerId)) this.#linkChanged(event)
  }

  #linkChanged(event: Exclude<MeshEvent, { type: 'refused' | 'dial-failed' }>): void {
    const { store, board } = this.#components
    if (event.type !== 'rtt') store.members.seen(event.peerId)
    board.changed(event.peerId)
    if (event.type !== 'rtt') this.#presenceChanged()
  }

  joined(peerId: string): void {
    this.#components.board.changed(peerId)
    this.#presenceChanged()
  }

  round(row: RoundRow): void {
    const { store, wire, narrator, board, intake } = this.#components
    wire.announceRound(row)
    narrator.round(row)
    for (const { peerId } of store.members.active()) board.changed(peerId)
    if (row.phase === 'collecting') intake.nudge()
    if (row.phase === 'published') void this.#tidy()
  }

  /** An offer came, or what it led to is on disk. */
  contribution(contribution: Contribution): void {
    const { wire, runner, board, narrator } = this.#components
    wire.announceReceipt(contribution)
    runner.nudge()
    board.changed(contribution.device)
    narrator.currentRound()
  }

  /** Between rounds: keys change, what was merged goes. */
  async #tidy(): Promise<void> {
    const { store, keys, logger } = this.#components
    try {
      await keys.rotate()
      await sweepBlobs(store)
    } catch (error) {
      logger.warn({ reason: errorMessage(error) }, 'could not tidy up after a round')
    }
  }

  #presenceChanged(): void {
    const { runner, intake, narrator } = this.#components
    runner.nudge()
    intake.nudge()
    narrator.currentRound()
  }
}
