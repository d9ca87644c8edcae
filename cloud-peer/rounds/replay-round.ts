import { openRound, type RoundState, type RoundTerms, reduceRound } from '#protocols/rounds'
import type { Contribution } from '../store/contributions.ts'

/**
 * The state of a collecting round, from its rows: each update that is in is an event, in the order of arrival, then the time.
 * Its phase is the decision: `collecting` means wait.
 */
export function replayRound(
  terms: RoundTerms,
  received: readonly Contribution[],
  now: number,
): RoundState {
  const inOrder = [...received].sort((a, b) => (a.receivedAt ?? 0) - (b.receivedAt ?? 0))
  let state = openRound(terms)
  for (const { device, blob, receivedAt } of inOrder)
    state = reduceRound(state, {
      type: 'received',
      senderId: device,
      blobId: blob,
      at: receivedAt ?? 0,
    })
  return reduceRound(state, { type: 'tick', at: now })
}
