import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  isOver,
  openRound,
  type RoundEvent,
  type RoundState,
  type RoundTerms,
  reduceRound,
} from '#protocols/rounds'

const terms: RoundTerms = {
  round: 4,
  rounds: 10,
  baseDigest: 'aa'.repeat(32),
  opensAt: 1_000,
  deadline: 2_000,
  quorum: 2,
  expected: 3,
  strategy: 'exact',
  sealingKey: new Uint8Array(32),
  maxUpdateBytes: 1_000_000,
  seed: 1,
}
const offer = (senderId: string, blobId = `${senderId}-blob`): RoundEvent => ({
  type: 'offer',
  senderId,
  offer: { blobId, sizeBytes: 10, at: 1_100 },
})
const received = (senderId: string, blobId = `${senderId}-blob`): RoundEvent => ({
  type: 'received',
  senderId,
  blobId,
  at: 1_200,
})
const run = (...events: readonly RoundEvent[]) => events.reduce(reduceRound, openRound(terms))

describe('reduceRound', () => {
  it('goes from collecting to published', () => {
    const phases: string[] = []
    let state: RoundState = openRound(terms)
    for (const event of [
      offer('a'),
      received('a'),
      offer('b'),
      received('b'),
      offer('c'),
      received('c'),
      { type: 'aggregated' },
      { type: 'published', version: 'v4' },
    ] as const) {
      state = reduceRound(state, event)
      phases.push(state.phase)
    }
    expect(phases).toEqual([...Array(5).fill('collecting'), 'aggregating', 'tuning', 'published'])
    expect(state).toMatchObject({ version: 'v4' })
    expect(Object.keys(state.received)).toEqual(['a', 'b', 'c'])
  })

  it('goes on at the deadline with a quorum, and gives up without', () => {
    const tick = (at: number): RoundEvent => ({ type: 'tick', at })
    expect(run(received('a'), received('b'), tick(1_999)).phase).toBe('collecting')
    expect(run(received('a'), received('b'), tick(2_000)).phase).toBe('aggregating')
    expect(run(received('a'), tick(2_000))).toMatchObject({
      phase: 'aborted',
      reason: '1 of 2 updates at the deadline',
    })
  })

  it('counts a device once, whatever it sends', () => {
    const state = run(offer('a'), received('a'), received('a', 'other'), offer('a', 'other'))
    expect(state.received).toEqual({ a: { blobId: 'a-blob', at: 1_200 } })
    expect(run(received('a'), received('a'), received('a')).phase).toBe('collecting')
  })

  it('takes a new offer after a refusal, not the refused one', () => {
    const refusal: RoundEvent = {
      type: 'refused',
      senderId: 'a',
      blobId: 'a-blob',
      code: 'UPDATE_WRONG_BASE',
    }
    const state = run(offer('a'), refusal, offer('a'))
    expect(state).toMatchObject({ offers: {}, refused: { a: { code: 'UPDATE_WRONG_BASE' } } })
    expect(reduceRound(state, offer('a', 'better'))).toMatchObject({
      offers: { a: { blobId: 'better' } },
    })
  })

  it('ignores what comes too late', () => {
    const state = run(received('a'), received('b'), received('c'))
    expect(reduceRound(state, offer('d'))).toBe(state)
    expect(reduceRound(state, received('d'))).toBe(state)
    const over = run({ type: 'abort', reason: 'stopped' })
    expect(reduceRound(over, { type: 'abort', reason: 'again' })).toBe(over)
  })

  it('keeps its promises under any order of events', () => {
    const sender = fc.constantFrom('a', 'b', 'c', 'd')
    const blob = fc.constantFrom('x', 'y')
    const event: fc.Arbitrary<RoundEvent> = fc.oneof(
      fc.tuple(sender, blob).map(([s, b]) => offer(s, b)),
      fc.tuple(sender, blob).map(([s, b]) => received(s, b)),
      fc.tuple(sender, blob).map(([senderId, blobId]) => ({
        type: 'refused' as const,
        senderId,
        blobId,
        code: 'X',
      })),
      fc.nat(3_000).map((at) => ({ type: 'tick' as const, at })),
      fc.constant({ type: 'aggregated' as const }),
      fc.constant({ type: 'published' as const, version: 'v' }),
      fc.constant({ type: 'abort' as const, reason: 'r' }),
    )
    const order = ['collecting', 'aggregating', 'tuning', 'published', 'aborted']
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        let state: RoundState = openRound(terms)
        for (const each of events) {
          const next = reduceRound(state, each)
          // The same event twice is the same as once.
          expect(reduceRound(next, each)).toEqual(next)
          if (isOver(state)) expect(next).toBe(state)
          expect(order.indexOf(next.phase)).toBeGreaterThanOrEqual(order.indexOf(state.phase))
          for (const [id, update] of Object.entries(state.received)) {
            expect(next.received[id]).toEqual(update)
          }
          if (next.phase !== 'collecting') {
            const count = Object.keys(next.received).length
            if (next.phase !== 'aborted') expect(count).toBeGreaterThanOrEqual(terms.quorum)
            if (state.phase !== 'collecting') expect(next.received).toEqual(state.received)
          }
          state = next
        }
      }),
      { numRuns: 500 },
    )
  })
})
