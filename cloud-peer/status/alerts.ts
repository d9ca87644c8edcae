import type { Clock, EventLog } from '#base'
import type { Alert, PeerEvent } from '#protocols/api'

/** Degraded states as data: raised once, shown until cleared. */
export class Alerts {
  readonly #events: EventLog<PeerEvent>
  readonly #clock: Clock
  readonly #raised = new Map<string, Alert>()

  constructor(events: EventLog<PeerEvent>, clock: Clock) {
    this.#events = events
    this.#clock = clock
  }

  all(): readonly Alert[] {
    return [...this.#raised.values()]
  }

  /** Raises an alert, or changes the text of the one with its code. */
  raise(alert: Omit<Alert, 'since'>): void {
    const before = this.#raised.get(alert.code)
    if (before && before.text === alert.text) return
    const raised = { ...alert, since: before?.since ?? this.#clock.now() }
    this.#raised.set(alert.code, raised)
    this.#events.emit({ type: 'alert', alert: raised, cleared: false })
  }

  clear(code: string): void {
    const alert = this.#raised.get(code)
    if (!alert) return
    this.#raised.delete(code)
    this.#events.emit({ type: 'alert', alert, cleared: true })
  }
}
