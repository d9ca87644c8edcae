import type { Clock, EventLog } from '#base'
import type { TuningProgress } from '#learning/tuning'
import type { Alert, DevicePhase, PeerEvent } from '#protocols/api'

const PROGRESS_EVERY_MS = 250

/** What the device is doing at the moment: not worth a row, gone with the process. */
export interface Activity {
  readonly phase: DevicePhase
  readonly step: number | null
  readonly loss: number | null
}

const IDLE: Activity = { phase: 'idle', step: null, loss: null }

/** The moving part of a screen: activity, alerts, and the events that tell of both. */
export class Live {
  readonly #events: EventLog<PeerEvent>
  readonly #clock: Clock
  readonly #alerts = new Map<string, Alert>()
  #activity = IDLE
  #lastProgressAt = Number.NEGATIVE_INFINITY

  constructor(events: EventLog<PeerEvent>, clock: Clock) {
    this.#events = events
    this.#clock = clock
  }

  get activity(): Activity {
    return this.#activity
  }

  get alerts(): readonly Alert[] {
    return [...this.#alerts.values()]
  }

  idle(): void {
    this.#activity = IDLE
  }

  evaluating(): void {
    this.#activity = { phase: 'evaluating', step: null, loss: null }
  }

  /** Steps come faster than anybody reads: the last of a phase is always told, the others now and then. */
  progress(progress: TuningProgress, round: number | null): void {
    const phase = devicePhase(progress.phase)
    const isNew = phase !== this.#activity.phase
    this.#activity = { phase, step: progress.step, loss: progress.loss }
    const now = this.#clock.now()
    const isDue = now - this.#lastProgressAt >= PROGRESS_EVERY_MS
    if (!isDue && !isNew && progress.step < progress.steps) return
    this.#lastProgressAt = now
    this.#events.emit({ type: 'progress', ...progress, round })
  }

  raise(alert: Omit<Alert, 'since'>): void {
    const known = this.#alerts.get(alert.code)
    if (known?.text === alert.text) return
    const raised = { ...alert, since: known?.since ?? this.#clock.now() }
    this.#alerts.set(alert.code, raised)
    this.#events.emit({ type: 'alert', alert: raised, cleared: false })
  }

  clear(code: string): void {
    const alert = this.#alerts.get(code)
    if (!alert) return
    this.#alerts.delete(code)
    this.#events.emit({ type: 'alert', alert, cleared: true })
  }
}

function devicePhase(phase: TuningProgress['phase']): DevicePhase {
  if (phase === 'dst' || phase === 'saml') return phase
  return phase === 'evaluate' ? 'evaluating' : 'idle'
}
