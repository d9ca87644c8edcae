import type { RoundClosed, RoundTerms, UpdateReceipt } from './types.ts'

/**
 * A device's part in a round; one row of its store. `open`: to be tuned. `tuned`: the update is
 * sealed and stored. `offered`: told to the cloud peer, no receipt yet. `received`: counted.
 * `closed`: over for this device, for better or worse.
 */
export interface Participation {
  readonly phase: 'open' | 'tuned' | 'offered' | 'received' | 'closed'
  readonly terms: RoundTerms
  /** The sealed update, from `tuned` on. */
  readonly blobId?: string
  /** Why the device's update does not count, when it does not. */
  readonly code?: string
}

export type ParticipationEvent =
  | { readonly type: 'opened'; readonly terms: RoundTerms }
  | { readonly type: 'tuned'; readonly blobId: string }
  | { readonly type: 'offered'; readonly blobId: string }
  | { readonly type: 'receipt'; readonly receipt: UpdateReceipt }
  | { readonly type: 'closed'; readonly closed: RoundClosed }

/**
 * The participation after `event`; `state` itself when nothing changes. A round of a higher number
 * always replaces the one before, since the device may have missed how that ended.
 */
export function reduceParticipation(
  state: Participation | undefined,
  event: ParticipationEvent,
): Participation | undefined {
  if (event.type === 'opened') {
    if (state && event.terms.round <= state.terms.round) return state
    return { phase: 'open', terms: event.terms }
  }
  if (!state || state.phase === 'closed') return state
  switch (event.type) {
    case 'tuned':
      return state.phase === 'open' ? { ...state, phase: 'tuned', blobId: event.blobId } : state
    case 'offered':
      if (state.phase !== 'tuned' || state.blobId !== event.blobId) return state
      return { ...state, phase: 'offered' }
    case 'receipt':
      return afterReceipt(state, event.receipt)
    case 'closed':
      return event.closed.round === state.terms.round ? { ...state, phase: 'closed' } : state
  }
}

/** A receipt may come twice, or before the device has noted that its offer was sent. */
function afterReceipt(state: Participation, receipt: UpdateReceipt): Participation {
  if (receipt.round !== state.terms.round || receipt.blobId !== state.blobId) return state
  if (state.phase !== 'tuned' && state.phase !== 'offered') return state
  if (receipt.outcome === 'counted') return { ...state, phase: 'received' }
  return { ...state, phase: 'closed', code: receipt.code ?? 'UPDATE_REFUSED' }
}
