import {
  type Clock,
  type EventLog,
  errorMessage,
  isCotuneError,
  type Logger,
  type Startable,
} from '#base'
import type { TuningProgress } from '#learning/tuning'
import type { PeerEvent } from '#protocols/api'
import type { CloudStore } from '../store/cloud-store.ts'
import type { RoundRow } from '../store/rounds.ts'
import type { Alerts } from './alerts.ts'
import type { RoundView } from './round-view.ts'

export interface NarratorComponents {
  readonly store: CloudStore
  readonly events: EventLog<PeerEvent>
  readonly view: RoundView
  readonly alerts: Alerts
  readonly clock: Clock
  readonly logger: Logger
}

/** Steps come faster than screens can show: as often as this, and the last one always. */
const PROGRESS_EVERY_MS = 250

/** Says in events what happens to rounds and models. */
export class Narrator implements Startable {
  readonly #components: NarratorComponents
  #saidProgressAt = 0

  constructor(components: NarratorComponents) {
    this.#components = components
  }

  /** Says again what readers who come after a restart would miss. */
  async start(): Promise<void> {
    const { store, events } = this.#components
    for (const { model, label, round, ...row } of store.scores.all()) {
      const { em, rougeL, examples, perplexityPerByte } = row
      const scores = { em, rougeL, examples, perplexityPerByte }
      events.emit({ type: 'scores', model, label, round, scores })
    }
    this.publicData(store.examples.count())
  }

  async stop(): Promise<void> {
    // Nothing runs here.
  }

  round(row: RoundRow): void {
    const { events, view } = this.#components
    events.emit({ type: 'round', round: view.of(row) })
    if (row.phase === 'published')
      events.emit({ type: 'version', version: row.round, kept: true, reason: '' })
  }

  /** The open round again: somebody came, left, offered or was refused. */
  currentRound(): void {
    const round = this.#components.view.current()
    if (round) this.#components.events.emit({ type: 'round', round })
  }

  progress(round: number | null, progress: TuningProgress): void {
    const { events, clock } = this.#components
    const now = clock.now()
    const last = progress.step === progress.steps
    if (!last && now - this.#saidProgressAt < PROGRESS_EVERY_MS) return
    this.#saidProgressAt = now
    events.emit({ ...progress, type: 'progress', round })
  }

  /** A round failed for a reason of ours; undefined when it works again. */
  trouble(error: unknown): void {
    if (error === undefined) {
      this.#components.alerts.clear('ROUND_FAILED')
      return
    }
    this.#components.alerts.raise({
      code: 'ROUND_FAILED',
      severity: 'error',
      text: `a round failed: ${errorMessage(error)}`,
      hint: isCotuneError(error) ? error.hint : 'see the log; then `cotune round start` again',
    })
  }

  publicData(training: number): void {
    if (training > 0) {
      this.#components.alerts.clear('NO_PUBLIC_DATA')
      return
    }
    this.#components.alerts.raise({
      code: 'NO_PUBLIC_DATA',
      severity: 'warning',
      text: 'there are no public examples: rounds merge, but the large model neither learns nor teaches',
      hint: 'cotune data import FILE.jsonl --name NAME, at the cloud peer',
    })
  }

  /** What a peer did and we refused; its words are not repeated. */
  refused(peerId: string, what: string, code: string): void {
    const { events, logger } = this.#components
    logger.warn({ peerId, what, code }, 'refused')
    const message = `refused ${what} of ${peerId}: ${code}`
    events.emit({ type: 'log', level: 'warn', component: 'mesh', message })
  }
}
