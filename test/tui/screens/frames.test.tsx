import { renderToString } from 'ink'
import { describe, expect, it } from 'vitest'
import type { Numbered } from '#base'
import type { PeerEvent, Status } from '#protocols/api'
import { DEMO_EVENTS, DEMO_NOW, DEMO_STATUS } from '../../../tui/demo/demo-mesh.ts'
import { widthOf } from '../../../tui/drawing/text.ts'
import { createTheme, unstyled } from '../../../tui/drawing/theme.ts'
import { Frame } from '../../../tui/frame.tsx'
import { renderOnce } from '../../../tui/render-once.ts'
import { linesOf, viewOf } from '../../../tui/screens/view.ts'
import { SCREENS } from '../../../tui/state/keymap.ts'
import { reduce } from '../../../tui/state/reduce.ts'
import { initialState, type TuiState } from '../../../tui/state/state.ts'

const SIZES = [
  [80, 24],
  [140, 40],
] as const

const demo = { events: DEMO_EVENTS, now: DEMO_NOW }

/** Look at one with `cat`: those that end in `.ansi` carry their colours. */
const file = (name: string) => `__snapshots__/${name}`

function stateOf(
  status: Status | null,
  events: readonly Numbered<PeerEvent>[],
  columns: number,
  rows: number,
): TuiState {
  const begun = initialState({ columns, rows, now: DEMO_NOW })
  if (status === null) return begun
  const known = reduce(begun, { type: 'snapshot', status, at: DEMO_NOW })
  return events.reduce(
    (state, entry) => reduce(state, { type: 'event', entry, at: DEMO_NOW }),
    known,
  )
}

describe.each(SIZES)('at %ix%i', (columns, rows) => {
  const size = `${columns}x${rows}`

  it.each(SCREENS)('%s', async (screen) => {
    const frame = renderOnce(DEMO_STATUS, { columns, rows, screen, ...demo })
    await expect(`${frame}\n`).toMatchFileSnapshot(file(`${screen}-${size}.txt`))
    expect(frame).not.toContain('\u001b')
  })

  it('mesh in ASCII', async () => {
    const frame = renderOnce(DEMO_STATUS, { columns, rows, ascii: true, ...demo })
    await expect(`${frame}\n`).toMatchFileSnapshot(file(`mesh-ascii-${size}.txt`))
  })

  it.each(SCREENS)('%s in ASCII has no other character', (screen) => {
    const peers = DEMO_STATUS.peers.map((peer) => ({ ...peer, name: `東京${peer.name}` }))
    const status = { ...DEMO_STATUS, peers }
    const frame = renderOnce(status, { columns, rows, screen, ascii: true, ...demo })
    expect(frame).toMatch(/^[\n -~]*$/)
  })

  it('mesh in colour', async () => {
    const frame = renderOnce(DEMO_STATUS, { columns, rows, color: true, ...demo })
    await expect(`${frame}\n`).toMatchFileSnapshot(file(`mesh-colour-${size}.ansi`))
  })

  it('mesh with NO_COLOR: bold, dim and reverse, but no colour', async () => {
    const state = stateOf(DEMO_STATUS, DEMO_EVENTS, columns, rows)
    const frame = linesOf(viewOf(state, createTheme({ palette: 'mono' }))).join('\n')
    await expect(`${frame}\n`).toMatchFileSnapshot(file(`mesh-mono-${size}.ansi`))
    const codes = new Set([...frame.matchAll(/\u001b\[([0-9;]*)m/g)].map(([, code]) => code))
    expect([...codes].filter((code) => !['1', '2', '7', '22', '27'].includes(code ?? ''))).toEqual(
      [],
    )
  })

  it.each(SCREENS)('%s fills the screen exactly, through Ink too', (screen) => {
    for (const palette of ['plain', 'colour'] as const) {
      const begun = stateOf(DEMO_STATUS, DEMO_EVENTS, columns, rows)
      const state = { ...begun, ui: { ...begun.ui, screen } }
      const view = viewOf(state, createTheme({ palette }))
      const lines = linesOf(view)
      expect(lines).toHaveLength(rows)
      expect(lines.map(widthOf)).toEqual(lines.map(() => columns))
      const shown = renderToString(<Frame view={view} />, { columns }).split('\n')
      expect(shown.map((line) => unstyled(line).trimEnd())).toEqual(
        lines.map((line) => unstyled(line).trimEnd()),
      )
    }
  })
})

describe('states that are not well', () => {
  const [cloud, atm, kitchen, laptop] = DEMO_STATUS.peers
  const trouble: Status = {
    ...DEMO_STATUS,
    peers: [
      cloud!,
      {
        ...atm!,
        name: 'atm\u001b[2J\u001b]52;c;eA==\u0007-north\u202e',
        state: 'down',
        connected: false,
        reason: 'no answer to ping; is it switched on?',
        lastSeen: DEMO_NOW - 240_000,
      },
      { ...kitchen!, reason: 'version 0.0.9 is older than ours' },
      laptop!,
    ],
    round: {
      ...DEMO_STATUS.round!,
      participants: DEMO_STATUS.round!.participants.map((one, index) =>
        index === 2
          ? { ...one, phase: 'refused', reason: 'base digest 9c41 is not of round 3' }
          : one,
      ),
    },
    alerts: [
      {
        code: 'DISK_LOW',
        severity: 'error',
        text: '212 MB are left on the disk',
        hint: 'free space, or move COTUNE_HOME',
        since: DEMO_NOW - 65_000,
      },
    ],
  }

  it.each(['mesh', 'round', 'events'] as const)('%s tells why', async (screen) => {
    const frame = renderOnce(trouble, { screen, ...demo })
    await expect(`${frame}\n`).toMatchFileSnapshot(file(`trouble-${screen}-80x24.txt`))
  })

  it('shows no code of a hostile name, in colour either', () => {
    const frame = renderOnce(trouble, { color: true, ...demo })
    expect(unstyled(frame)).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/)
    expect(frame).toContain('atm-north')
  })

  const empty: Status = {
    ...DEMO_STATUS,
    role: 'device',
    name: 'laptop-mia',
    peers: [],
    models: [],
    round: null,
    history: [],
    datasets: [],
    ledger: [],
    runId: null,
    sequence: 0,
  }

  it.each(['mesh', 'round', 'loss', 'data', 'events'] as const)(
    '%s of a new device tells the next step',
    async (screen) => {
      const frame = renderOnce(empty, { screen, rows: 20, now: DEMO_NOW })
      await expect(`${frame}\n`).toMatchFileSnapshot(file(`empty-${screen}-80x20.txt`))
    },
  )

  it('says that it is stale, disconnected or paused', () => {
    const theme = createTheme({ palette: 'plain' })
    const headerOf = (state: TuiState) => viewOf(state, theme).header
    const live = stateOf(DEMO_STATUS, [], 80, 24)
    expect(headerOf(live)).toContain('LIVE')
    expect(headerOf({ ...live, now: DEMO_NOW + 12_000 })).toContain('STALE 12s')
    expect(headerOf(reduce(live, { type: 'key', key: { name: 'p', text: 'p' } }))).toContain(
      'PAUSED',
    )
    const gone = reduce(live, {
      type: 'disconnected',
      message: 'no peer answers',
      hint: 'start it',
      at: DEMO_NOW,
      retryAt: DEMO_NOW + 3_000,
    })
    expect(headerOf(gone)).toContain('DISCONNECTED · retry in 3s')
    expect(viewOf(gone, theme).hints.trimEnd()).toBe(' no peer answers · start it')
    const faded = linesOf(viewOf(gone, createTheme({ palette: 'colour' }))).slice(1, -2)
    expect(faded.every((line) => line.startsWith('\u001b[2m'))).toBe(true)
    expect(faded.join('')).toContain('atm-north')
  })

  it('says what to do when the peer was never reached', async () => {
    const state = reduce(stateOf(null, [], 80, 16), {
      type: 'disconnected',
      message: 'no peer answers on /run/user/1000/cotune/control.sock',
      hint: 'start it with `cotune daemon` (a device) or `cotune cloud`; --home names another one',
      at: DEMO_NOW,
      retryAt: DEMO_NOW + 2_000,
    })
    const frame = linesOf(viewOf(state, createTheme({ palette: 'plain' }))).map((line) =>
      line.trimEnd(),
    )
    await expect(`${frame.join('\n')}\n`).toMatchFileSnapshot(file('unreached-80x16.txt'))
  })

  it.each([
    [59, 24],
    [80, 15],
    [20, 5],
    [1, 1],
  ])('asks for a larger terminal at %ix%i', (columns, rows) => {
    const lines = linesOf(
      viewOf(stateOf(DEMO_STATUS, [], columns, rows), createTheme({ palette: 'plain' })),
    )
    expect(lines.length).toBeLessThanOrEqual(rows)
    expect(lines.every((line) => widthOf(line) <= columns)).toBe(true)
    expect(columns < 20 || lines.join(' ').includes('too small')).toBe(true)
  })

  it.each([
    [60, 16],
    [99, 17],
    [109, 60],
    [110, 16],
    [220, 60],
  ])('draws every screen at %ix%i', (columns, rows) => {
    for (const screen of SCREENS) {
      const begun = stateOf(trouble, DEMO_EVENTS, columns, rows)
      for (const detail of [false, true]) {
        const state = { ...begun, ui: { ...begun.ui, screen, detail } }
        const lines = linesOf(viewOf(state, createTheme({ palette: 'colour' })))
        expect([screen, lines.length]).toEqual([screen, rows])
        expect([...new Set(lines.map(widthOf))]).toEqual([columns])
      }
    }
  })
})
