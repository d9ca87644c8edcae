import { describe, expect, it } from 'vitest'
import { nextAction, type Situation } from '../../daemon/rounds/next-action.ts'
import type { RoundRow } from '../../daemon/store/round-store.ts'
import { BASE_DIGEST, RUN_ID, terms } from './fakes.ts'

function row(phase: RoundRow['phase'], change: Partial<RoundRow> = {}): RoundRow {
  return {
    ...terms(1),
    phase,
    slmState: 'a',
    domain: 'b',
    delta: 'c',
    sealed: 'd',
    sealedBytes: 9,
    examples: 1,
    counter: 1,
    reason: '',
    finishedAt: null,
    ...change,
  }
}

function situation(change: Partial<Situation> = {}): Situation {
  return {
    now: Date.now(),
    open: terms(1),
    row: row('open'),
    finished: [],
    published: undefined,
    newest: undefined,
    baseDigest: BASE_DIGEST,
    hasStart: true,
    trainingExamples: 10,
    verdict: undefined,
    connected: true,
    lastOfferedAt: undefined,
    ...change,
  }
}

const published = { version: 2, blobId: 'x' }
const held = { runId: RUN_ID, version: 2, digest: 'y', blobId: 'x', receivedAt: 0, reason: '' }

describe('nextAction', () => {
  it.each([
    ['a round heard of for the first time is noted', { row: undefined }, 'note'],
    ['a repeated attempt is noted', { open: terms(1, '', 2) }, 'note'],
    ['an open round is tuned', {}, 'tune'],
    ['a tuned round is sealed', { row: row('tuned') }, 'seal'],
    ['a sealed update is offered', { row: row('offered') }, 'offer'],
    [
      'a receipt settles',
      { row: row('offered'), verdict: { accepted: true, reason: '' } },
      'settle',
    ],
    ['a received update needs nothing', { row: row('received') }, 'wait'],
    ['a refused one neither', { row: row('refused') }, 'wait'],
    ['another proxy model is refused', { baseDigest: 'other' }, 'refuse'],
    ['no rows: wait', { trainingExamples: 0 }, 'wait'],
    ['past the deadline: wait', { now: Date.now() + 600_000 }, 'wait'],
    ['without the adapter to start from: wait', { hasStart: false }, 'wait'],
    ['a newer version is fetched first', { published }, 'fetch-version'],
    ['but not without a connection', { published, connected: false }, 'tune'],
    [
      'a version is judged once the round is done',
      { newest: { ...held, kept: undefined }, row: row('received') },
      'judge-version',
    ],
    ['and not before', { newest: { ...held, kept: undefined } }, 'tune'],
    ['nor twice', { newest: { ...held, kept: false }, row: row('received') }, 'wait'],
    ['a finished round is closed before anything', { finished: [1], published }, 'close'],
  ] satisfies [string, Partial<Situation>, string][])('%s', (_, change, expected) => {
    expect(nextAction(situation(change)).type).toBe(expected)
  })

  it('offers again only after a while, and only when connected', () => {
    const now = 1_000_000
    const offered = { row: row('offered'), open: row('offered') }
    const soon = nextAction(situation({ ...offered, now, lastOfferedAt: now - 1_000 }))
    expect(soon).toEqual({ type: 'wait', ms: 2_000, why: 'receipt' })
    expect(nextAction(situation({ ...offered, now, lastOfferedAt: now - 5_000 })).type).toBe(
      'offer',
    )
    const apart = situation({ ...offered, now, lastOfferedAt: 0, connected: false })
    expect(nextAction(apart).type).toBe('wait')
  })
})
