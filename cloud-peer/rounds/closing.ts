/** What the decision to close a round depends on. */
export interface Collecting {
  readonly now: number
  readonly deadline: number
  readonly quorum: number
  /** Updates that are in. */
  readonly received: number
  /** Members that are connected and whose update is still to come. */
  readonly awaited: number
}

/**
 * A round closes early when its quorum is in and nobody who is there is still at work; at the deadline it closes with its quorum or
 * is given up.
 */
export function closing(state: Collecting): 'wait' | 'merge' | 'abort' {
  const quorate = state.received >= state.quorum
  if (quorate && state.awaited === 0) return 'merge'
  if (state.now < state.deadline) return 'wait'
  return quorate ? 'merge' : 'abort'
}
