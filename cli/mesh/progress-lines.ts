import type { PeerEvent } from '#protocols/api'
import { describeEvent, describeRound } from '../render/describe-event.ts'

const PARTS = 10
/** Fast jobs would else print their ten lines within a second. */
const MIN_GAP_MS = 2_000

/**
 * Turns the events of a mesh into few lines: one for each change of phase, score or version, and one for each tenth of a
 * job. `tell(peer, event)` returns the line to print, if any.
 */
export class ProgressLines {
  readonly #now: () => number
  readonly #jobs = new Map<
    string,
    { readonly job: string; readonly part: number; readonly at: number }
  >()
  readonly #rounds = new Map<string, string>()

  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  tell(peer: string, event: PeerEvent): string | undefined {
    switch (event.type) {
      case 'progress':
        return this.#isWorthIt(peer, event) ? describeEvent(event) : undefined
      case 'round': {
        const line = describeRound(event.round)
        if (this.#rounds.get(peer) === line) return undefined
        this.#rounds.set(peer, line)
        return describeEvent(event)
      }
      case 'scores':
      case 'version':
      case 'alert':
        return describeEvent(event)
      case 'ledger':
        return event.entry.kind === 'adapter-delta' ? describeEvent(event) : undefined
      case 'log':
        return event.level === 'error' || event.level === 'warn' ? describeEvent(event) : undefined
      case 'peer':
      case 'dataset':
        return undefined
    }
  }

  #isWorthIt(peer: string, event: PeerEvent & { readonly type: 'progress' }): boolean {
    const job = `${event.phase} ${event.model} ${event.round ?? ''}`
    const part = Math.floor((PARTS * event.step) / Math.max(1, event.steps))
    const now = this.#now()
    const last = this.#jobs.get(peer)
    const isNew = last?.job !== job
    const isFurther = part > (last?.part ?? 0) && now >= (last?.at ?? 0) + MIN_GAP_MS
    if (!isNew && !isFurther) return false
    this.#jobs.set(peer, { job, part, at: now })
    return true
  }
}
