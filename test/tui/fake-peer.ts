import { EventLog, type Numbered } from '#base'
import type { PeerEvent, Status } from '#protocols/api'
import { DEMO_EVENTS, DEMO_STATUS } from '../../tui/demo/demo-mesh.ts'
import type { TuiClient } from '../../tui/tui-client.ts'

/** A peer as the screens see it: a status, events to come, and the ability to go away. */
export class FakePeer implements TuiClient {
  status: Status = { ...DEMO_STATUS, sequence: 0 }
  calls = 0
  readonly asked: number[] = []
  log = new EventLog<PeerEvent>()
  #failure: Error | undefined
  readonly #streams = new Set<(failure: Error) => void>()

  /** Emits what the demo mesh did. */
  play(): void {
    for (const { event } of DEMO_EVENTS) this.log.emit(event)
  }

  fail(error: Error): void {
    this.#failure = error
    for (const end of this.#streams) end(error)
    this.#streams.clear()
  }

  /** Answers again; with `startedAt`, as another run of the process that counts its events anew. */
  recover(startedAt?: number): void {
    this.#failure = undefined
    if (startedAt === undefined) return
    this.log = new EventLog<PeerEvent>()
    this.status = { ...this.status, startedAt, sequence: 0 }
  }

  async call(): Promise<Status> {
    this.calls += 1
    if (this.#failure) throw this.#failure
    return this.status
  }

  async *events(after: number, signal: AbortSignal): AsyncIterable<Numbered<PeerEvent>> {
    if (this.#failure) throw this.#failure
    this.asked.push(after)
    const ended = Promise.withResolvers<never>()
    ended.promise.catch(() => undefined)
    this.#streams.add(ended.reject)
    signal.addEventListener('abort', () => ended.reject(signal.reason as Error), { once: true })
    let sent = after
    for (;;) {
      for (const entry of this.log.since(sent)) {
        yield entry
        sent = entry.sequence
      }
      const more = Promise.withResolvers<void>()
      const stop = this.log.subscribe(() => more.resolve())
      try {
        if (this.log.since(sent).length === 0) await Promise.race([more.promise, ended.promise])
      } finally {
        stop()
      }
    }
  }
}
