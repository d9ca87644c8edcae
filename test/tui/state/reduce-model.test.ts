import { describe, expect, it } from 'vitest'
import type { PeerEvent, Status } from '#protocols/api'
import { DEMO_EVENTS, DEMO_STATUS } from '../../../tui/demo/demo-mesh.ts'
import { EMPTY_MODEL, type Model } from '../../../tui/state/model.ts'
import { reduceModel } from '../../../tui/state/reduce-model.ts'

const status: Status = { ...DEMO_STATUS, sequence: 10 }
const atm = status.peers[1]!

function snapshot(model: Model, change: Partial<Status> = {}): Model {
  return reduceModel(model, { type: 'snapshot', status: { ...status, ...change }, at: 1 })
}

function event(model: Model, sequence: number, given: PeerEvent): Model {
  return reduceModel(model, { type: 'event', entry: { sequence, at: 5, event: given }, at: 5 })
}

const log = (message: string): PeerEvent => ({
  type: 'log',
  level: 'info',
  component: 'x',
  message,
})

describe('reduceModel', () => {
  it('folds events into the snapshot they come after, and only those', () => {
    const before = snapshot(EMPTY_MODEL)
    const down: PeerEvent = { type: 'peer', peer: { ...atm, state: 'down', reason: 'no answer' } }
    expect(event(before, 10, down).status?.peers[1]?.state).toBe('training')
    const after = event(before, 11, down)
    expect(after.status?.peers[1]?.state).toBe('down')
    expect(after.log.at(-1)?.message).toBe('atm-north down: no answer')
  })

  it('takes rounds, versions, ledger, datasets and alerts', () => {
    const alert = {
      code: 'DISK',
      severity: 'error',
      text: 'full',
      hint: 'free some',
      since: 3,
    } as const
    const finished = { ...status.round!, phase: 'published', finishedAt: 9 } as const
    const events: readonly PeerEvent[] = [
      { type: 'round', round: finished },
      { type: 'version', version: 3, kept: true, reason: '' },
      { type: 'version', version: 4, kept: false, reason: 'worse' },
      { type: 'ledger', entry: { ...status.ledger[0]!, at: Number.MAX_SAFE_INTEGER, bytes: 77 } },
      { type: 'dataset', dataset: { ...status.datasets[0]!, name: 'more' } },
      { type: 'alert', alert, cleared: false },
    ]
    const full = events.reduce((model, one, i) => event(model, 11 + i, one), snapshot(EMPTY_MODEL))
    expect(full.status?.history.map(({ round }) => round)).toEqual([1, 2, 3])
    expect(full.status?.round?.phase).toBe('published')
    expect(full.status?.dpmVersion).toBe(3)
    expect(full.status?.ledger.at(-1)?.bytes).toBe(77)
    expect(full.status?.datasets.map(({ name }) => name)).toEqual(['public', 'more'])
    expect(full.status?.alerts).toEqual([alert])
    const cleared = event(full, 17, { type: 'alert', alert, cleared: true })
    expect(cleared.status?.alerts).toEqual([])
  })

  it('ignores an older snapshot, but hears it', () => {
    const model = event(snapshot(EMPTY_MODEL), 11, {
      type: 'version',
      version: 9,
      kept: true,
      reason: '',
    })
    const later = reduceModel(model, { type: 'snapshot', status, at: 99 })
    expect(later.status?.dpmVersion).toBe(9)
    expect(later.heardAt).toBe(99)
  })

  it('counts anew when the peer was restarted', () => {
    const model = event(snapshot(EMPTY_MODEL), 11, log('a'))
    const restarted = snapshot(model, { startedAt: 1, sequence: 2 })
    expect([restarted.status?.sequence, restarted.sequence]).toEqual([2, 0])
    expect(event(restarted, 3, log('b')).log.map(({ message }) => message)).toEqual(['a', 'b'])
  })

  it('counts what it missed, and takes nothing twice', () => {
    const one = event(snapshot(EMPTY_MODEL), 11, log('a'))
    expect(event(one, 11, log('again')).log).toHaveLength(1)
    expect(event(one, 15, log('b')).missed).toBe(3)
  })

  it('keeps what it has while disconnected, with the first moment of it', () => {
    const gone = { type: 'disconnected', message: 'gone', hint: 'wait' } as const
    const first = reduceModel(snapshot(EMPTY_MODEL), { ...gone, at: 20, retryAt: 21 })
    const second = reduceModel(first, { ...gone, at: 30, retryAt: 31 })
    expect(second.connection).toEqual({
      kind: 'disconnected',
      message: 'gone',
      hint: 'wait',
      since: 20,
      retryAt: 31,
    })
    expect(second.status?.name).toBe('cloud-peer')
    expect(snapshot(second).connection).toEqual({ kind: 'live' })
  })

  it('draws curves, progress and scores from the past, too', () => {
    const model = DEMO_EVENTS.reduce(
      (folded, entry) => reduceModel(folded, { type: 'event', entry, at: entry.at }),
      snapshot(EMPTY_MODEL, { sequence: 1_000 }),
    )
    expect([...model.series.keys()]).toEqual(['saml llm', 'saml dpm'])
    expect(model.peerSeries.get(atm.id)?.values).toHaveLength(60)
    expect(model.scores.map(({ label }) => label)).toEqual(['before', 'after'])
    expect(model.progress?.event.step).toBe(19)
    expect(model.status?.peers).toEqual(status.peers)
  })

  it('tells of a loss that is no number', () => {
    const progress = { type: 'progress', phase: 'dst', model: 'slm', round: 1 } as const
    const model = event(snapshot(EMPTY_MODEL), 11, {
      ...progress,
      step: 412,
      steps: 500,
      loss: Number.NaN,
      tokensPerSecond: 1,
    })
    expect(model.log.at(-1)).toMatchObject({
      level: 'error',
      message: 'loss is no number at step 412 of dst',
    })
  })

  it('takes what JSON cannot say, sent as null', () => {
    const none = null as unknown as number
    const progress = { type: 'progress', phase: 'dst', model: 'slm', round: 1 } as const
    const scores = { em: none, rougeL: none, examples: 0, perplexityPerByte: none }
    const events: readonly PeerEvent[] = [
      { ...progress, step: 1, steps: 2, loss: none, tokensPerSecond: none },
      { type: 'scores', model: 'slm', label: 'after', round: 1, scores },
    ]
    const model = events.reduce((m, one, i) => event(m, 11 + i, one), snapshot(EMPTY_MODEL))
    expect(model.series.get('dst slm')?.values).toEqual([Number.NaN])
    expect(model.log.at(-1)?.message).toBe('slm after: EM -, Rouge-L - on 0 examples')
  })

  it('keeps the latest of lists that come newest first', () => {
    const history = Array.from({ length: 60 }, (_, i) => ({ ...status.history[0]!, round: 60 - i }))
    const round = { ...status.round!, round: 61, finishedAt: 9 }
    const model = event(snapshot(EMPTY_MODEL, { history }), 11, { type: 'round', round })
    expect(model.status?.history.at(-1)?.round).toBe(61)
    expect(model.status?.history[0]?.round).toBe(12)
  })

  it('says the same of a round only once', () => {
    const round: PeerEvent = { type: 'round', round: status.round! }
    const model = event(event(snapshot(EMPTY_MODEL), 11, round), 12, round)
    expect(model.log).toHaveLength(1)
  })

  it('bounds the log and says so', () => {
    let model = snapshot(EMPTY_MODEL)
    for (let i = 0; i < 1_005; i += 1) model = event(model, 11 + i, log(`line ${i}`))
    expect([model.log.length, model.dropped, model.log[0]?.message]).toEqual([1_000, 5, 'line 5'])
  })

  it('makes all text of strangers safe', () => {
    const name = '\u001b]52;c;eHg=\u0007ev\u202eil\u001b[2J'
    const peers = [{ ...atm, name, reason: 'a\nb\u001b[31m' }]
    const model = snapshot(EMPTY_MODEL, { peers })
    expect(model.status?.peers[0]).toMatchObject({ name: 'evil', reason: 'a b' })
    expect(event(model, 11, log('\u001b[Hx')).log[0]?.message).toBe('x')
  })
})
