import { beforeEach, describe, expect, it } from 'vitest'
import { DEMO_NOW, DEMO_STATUS } from '../../../tui/demo/demo-mesh.ts'
import { shownLog, shownPeers } from '../../../tui/state/lists.ts'
import { type Action, reduce } from '../../../tui/state/reduce.ts'
import { initialState, shownModel, type TuiState } from '../../../tui/state/state.ts'
import { KeyDecoder } from '../../../tui/terminal/key-decoder.ts'

describe('keys', () => {
  let state: TuiState

  const act = (action: Action) => {
    state = reduce(state, action)
  }
  const press = (keys: string) => {
    const decoder = new KeyDecoder()
    for (const key of [...decoder.push(keys), ...decoder.flush()]) act({ type: 'key', key })
  }
  const log = (message: string, level: 'debug' | 'info' | 'error' = 'info') => {
    const sequence = state.model.sequence + 1
    const event = { type: 'log', level, component: 'test', message } as const
    act({ type: 'event', entry: { sequence, at: DEMO_NOW, event }, at: DEMO_NOW })
  }
  const names = () => shownPeers(shownModel(state), state.ui).map(({ name }) => name)
  const messages = () => shownLog(shownModel(state), state.ui).map(({ message }) => message)

  beforeEach(() => {
    state = initialState({ columns: 80, rows: 24, now: DEMO_NOW })
    act({ type: 'snapshot', status: { ...DEMO_STATUS, sequence: 0 }, at: DEMO_NOW })
  })

  it('go to screens by number, by tab and back from help', () => {
    const screens = ['2', '3', '4', '5', '1', '\t', '\u001b[Z', 'L', '?', '?'].map((key) => {
      press(key)
      return state.ui.screen
    })
    expect(screens.join(' ')).toBe('round loss data events mesh round mesh round help round')
  })

  it('filter while typing, all in one read, then act as commands again', () => {
    press('/kit\rs')
    expect(names()).toEqual(['kitchen-7'])
    expect(state.ui.prompt).toBe(null)
    expect(state.ui.sort).toBe('state')
  })

  it('keep letters of commands out of a prompt', () => {
    press('/qps1')
    expect(state.ui.prompt).toBe('qps1')
    expect([state.ui.screen, state.ui.sort, state.wish, state.frozen]).toEqual([
      'mesh',
      'name',
      'none',
      null,
    ])
    press('\u007f\u007f')
    expect(state.ui.prompt).toBe('qp')
  })

  it('exclude with !', () => {
    press('/!mia\r')
    expect(names()).toEqual(['cloud-peer', 'atm-north', 'kitchen-7'])
  })

  it('take control characters out of a pasted filter', () => {
    press('/\u001b[200~a\u001b[31mt\u0007m\r\u001b[201~')
    expect(state.ui.prompt).toBe('atm ')
  })

  it('close one thing at a time with Esc: prompt, filter, detail; and never quit', () => {
    press('j\r/atm')
    press('\u001b')
    expect([state.ui.prompt, state.ui.filters.mesh]).toEqual([null, 'atm'])
    press('\r')
    expect(state.ui.detail).toBe(true)
    press('\u001b')
    expect([state.ui.filters.mesh, state.ui.detail]).toEqual(['', true])
    press('\u001b')
    expect(state.ui.detail).toBe(false)
    press('\u001b')
    press('\u001b')
    expect([state.ui.screen, state.wish]).toEqual(['mesh', 'none'])
  })

  it('sort peers, this node always first', () => {
    press('ss')
    expect([state.ui.sort, names()]).toEqual([
      'loss',
      ['cloud-peer', 'atm-north', 'kitchen-7', 'laptop-mia'],
    ])
    press('s')
    expect(names()).toEqual(['cloud-peer', 'kitchen-7', 'laptop-mia', 'atm-north'])
  })

  it('leave this node in the list though it does not list itself, and never old', () => {
    const peers = DEMO_STATUS.peers.slice(1)
    act({ type: 'snapshot', status: { ...DEMO_STATUS, peers }, at: DEMO_NOW + 90_000 })
    expect(names()[0]).toBe('cloud-peer')
    const old = DEMO_STATUS.peers.map((peer) => ({ ...peer, lastSeen: 1 }))
    act({ type: 'snapshot', status: { ...DEMO_STATUS, peers: old }, at: DEMO_NOW + 90_000 })
    const seen = shownPeers(shownModel(state), state.ui).map(({ lastSeen }) => lastSeen)
    expect(seen).toEqual([DEMO_NOW + 90_000, 1, 1, 1])
  })

  it('move within the list only', () => {
    press('kkk')
    expect(state.ui.cursors.mesh).toBe(0)
    press('G')
    expect(state.ui.cursors.mesh).toBe(3)
    press('jjjk')
    expect(state.ui.cursors.mesh).toBe(2)
    press('g')
    expect(state.ui.cursors.mesh).toBe(0)
  })

  it('pause what is shown but not what is collected', () => {
    press('p')
    log('while paused')
    expect(shownModel(state).log).toHaveLength(0)
    expect(state.model.log).toHaveLength(1)
    press('p')
    expect(shownModel(state).log).toHaveLength(1)
  })

  it('stop following when scrolled up and resume at the bottom', () => {
    for (const message of ['one', 'two', 'three']) log(message)
    press('5')
    expect(state.ui.follow).toBe(true)
    press('k')
    expect([state.ui.follow, state.ui.cursors.events]).toEqual([false, 1])
    log('four')
    expect(state.ui.cursors.events).toBe(1)
    press('G')
    expect(state.ui.follow).toBe(true)
    press('f')
    expect(state.ui.follow).toBe(false)
  })

  it('choose the least level of events', () => {
    log('detail', 'debug')
    log('plain')
    log('bad', 'error')
    press('5')
    expect(messages()).toEqual(['plain', 'bad'])
    press('-')
    expect(messages()).toEqual(['detail', 'plain', 'bad'])
    press('+++++')
    expect(messages()).toEqual(['bad'])
  })

  it('turn rounds within what is known, and follow the latest again', () => {
    press('2[')
    expect(state.ui.round).toBe(2)
    press('[[[')
    expect(state.ui.round).toBe(1)
    press(']')
    expect(state.ui.round).toBe(2)
    press(']]')
    expect(state.ui.round).toBe(null)
    press('[f')
    expect(state.ui.round).toBe(null)
  })

  it('smooth and scale charts within bounds', () => {
    press('3l--------')
    expect([state.ui.logScale, state.ui.smoothing]).toEqual([true, 0])
    press('=================l')
    expect([state.ui.logScale, state.ui.smoothing]).toEqual([false, 5])
  })

  it.each([
    ['q', 'quit'],
    ['\u0003', 'quit'],
    ['/filter\u0003', 'quit'],
    ['\u001a', 'suspend'],
    ['\u000c', 'repaint'],
  ])('%j wishes to %s', (keys, wish) => {
    press(keys)
    expect(state.wish).toBe(wish)
    act({ type: 'granted' })
    expect(state.wish).toBe('none')
  })
})
