import type { RoundTerms } from './types.ts'

/** An update that a device says it has. */
export interface Offer {
  readonly blobId: string
  readonly sizeBytes: number
  readonly at: number
}

/** An update that was fetched, checked and stored; exactly one a device. */
export interface Received {
  readonly blobId: string
  readonly at: number
}

/** An offer that was refused, and why. */
export interface Refused {
  readonly blobId: string
  readonly code: string
}

interface Collected {
  readonly terms: RoundTerms
  readonly received: Readonly<Record<string, Received>>
}

/**
 * A round at the cloud peer. Plain data: stored as it is, and what a restarted cloud peer goes on
 * from.
 */
export type RoundState =
  | (Collected & {
      readonly phase: 'collecting'
      readonly offers: Readonly<Record<string, Offer>>
      readonly refused: Readonly<Record<string, Refused>>
    })
  | (Collected & { readonly phase: 'aggregating' })
  | (Collected & { readonly phase: 'tuning' })
  | (Collected & { readonly phase: 'published'; readonly version: string })
  | (Collected & { readonly phase: 'aborted'; readonly reason: string })

/** What happens to a round. `at` is milliseconds since the epoch. */
export type RoundEvent =
  | { readonly type: 'offer'; readonly senderId: string; readonly offer: Offer }
  | {
      readonly type: 'received'
      readonly senderId: string
      readonly blobId: string
      readonly at: number
    }
  | {
      readonly type: 'refused'
      readonly senderId: string
      readonly blobId: string
      readonly code: string
    }
  /** Time has passed. */
  | { readonly type: 'tick'; readonly at: number }
  /** The updates are merged and stored. */
  | { readonly type: 'aggregated' }
  /** The version is stored and signed: from here on the round is done. */
  | { readonly type: 'published'; readonly version: string }
  | { readonly type: 'abort'; readonly reason: string }

/** A round that has just opened. */
export function openRound(terms: RoundTerms): RoundState {
  return { phase: 'collecting', terms, offers: {}, received: {}, refused: {} }
}

/**
 * The round after `event`; `state` itself when the event changes nothing: late, repeated, or of
 * another phase. Pure, so that a restart which replays its events arrives at the same round.
 */
export function reduceRound(state: RoundState, event: RoundEvent): RoundState {
  const { terms, received } = state
  if (event.type === 'abort') {
    if (isOver(state)) return state
    return { phase: 'aborted', terms, received, reason: event.reason }
  }
  switch (state.phase) {
    case 'collecting':
      return collect(state, event)
    case 'aggregating':
      return event.type === 'aggregated' ? { ...state, phase: 'tuning' } : state
    case 'tuning':
      if (event.type !== 'published') return state
      return { ...state, phase: 'published', version: event.version }
    case 'published':
    case 'aborted':
      return state
  }
}

/** Whether nothing more can happen to the round. */
export function isOver(state: RoundState): boolean {
  return state.phase === 'published' || state.phase === 'aborted'
}

type Collecting = Extract<RoundState, { phase: 'collecting' }>

function collect(state: Collecting, event: RoundEvent): RoundState {
  const { terms, received, offers, refused } = state
  switch (event.type) {
    case 'offer': {
      const { senderId, offer } = event
      // One update a device: once it has counted, further offers are answered by the receipt, not
      // fetched.
      if (received[senderId] || offers[senderId]?.blobId === offer.blobId) return state
      if (refused[senderId]?.blobId === offer.blobId) return state
      return { ...state, offers: { ...offers, [senderId]: offer } }
    }
    case 'received': {
      const { senderId, blobId, at } = event
      if (received[senderId]) return state
      const next = { ...state, received: { ...received, [senderId]: { blobId, at } } }
      return count(next) >= terms.expected ? aggregate(next) : next
    }
    case 'refused': {
      const { senderId, blobId, code } = event
      if (received[senderId] || refused[senderId]?.blobId === blobId) return state
      const left = Object.entries(offers).filter(
        ([id, offer]) => id !== senderId || offer.blobId !== blobId,
      )
      return {
        ...state,
        offers: Object.fromEntries(left),
        refused: { ...refused, [senderId]: { blobId, code } },
      }
    }
    case 'tick': {
      if (event.at < terms.deadline) return state
      if (count(state) >= terms.quorum) return aggregate(state)
      const reason = `${count(state)} of ${terms.quorum} updates at the deadline`
      return { phase: 'aborted', terms, received, reason }
    }
    default:
      return state
  }
}

function aggregate({ terms, received }: Collecting): RoundState {
  return { phase: 'aggregating', terms, received }
}

function count(state: Collected): number {
  return Object.keys(state.received).length
}
