import type { DevicePhase, RoundInfo, RoundParticipant, RoundPhase } from '#protocols/api'
import { age, bytes, duration, percent } from '../drawing/format.ts'
import { drawPane, inside, type Pane, type Size } from '../drawing/pane.ts'
import { progressBar } from '../drawing/sparkline.ts'
import { type Cell, type Column, fitColumns, tableHead, tableRow } from '../drawing/table.ts'
import { PHASE_ROLE, type Theme } from '../drawing/theme.ts'
import type { Model } from '../state/model.ts'
import type { Ui } from '../state/ui.ts'
import type { DrawScreen, ScreenContext } from './context.ts'
import { receivedCount } from './header.ts'
import { chartPane, mainChart } from './loss-chart.ts'
import { scoresPane } from './scores.ts'

const SUMMARY_HEIGHT = 7
const LEAST_ROWS_WITH_CHART = 16

/** One round: its phase, its devices by phase; below the rounds before it and the scores. */
export const drawRound: DrawScreen = (context, size) => {
  const { model, ui, theme, status } = context
  const round = roundOnShow(model, ui)
  if (round === undefined) {
    const next =
      status.role === 'cloud'
        ? 'When devices have joined: cotune round start'
        : 'The cloud peer opens one when enough devices are there.'
    return [[drawPane('round', 'Round', ['No round yet.', next], size, theme)]]
  }
  const rest = size.height - SUMMARY_HEIGHT
  const devices = Math.min(Math.max(4, round.participants.length + 3), Math.ceil(rest / 2))
  const chart = rest - devices >= LEAST_ROWS_WITH_CHART ? Math.floor((rest - devices) / 2) : 0
  const below = rest - devices - chart
  const width = Math.floor(size.width * 0.54)
  return [
    [summaryPane(round, context, { width: size.width, height: SUMMARY_HEIGHT })],
    [devicesPane(round, context, { width: size.width, height: devices })],
    [
      historyPane(round, context, { width, height: below }),
      scoresPane(context, { width: size.width - width, height: below }),
    ],
    ...(chart === 0
      ? []
      : [[chartPane('chart', mainChart(context), context, { width: size.width, height: chart })]]),
  ]
}

function roundOnShow(model: Model, ui: Ui): RoundInfo | undefined {
  const current = model.status?.round ?? undefined
  const history = model.status?.history ?? []
  if (ui.round === null) return current ?? history.at(-1)
  if (current?.round === ui.round) return current
  return history.find(({ round }) => round === ui.round)
}

const STEPS: readonly (readonly [phase: RoundPhase, title: string])[] = [
  ['waiting', 'wait'],
  ['collecting', 'collect'],
  ['aggregating', 'aggregate'],
  ['tuning', 'tune'],
  ['published', 'publish'],
]

function summaryPane(round: RoundInfo, context: ScreenContext, size: Size): Pane {
  const { theme, now } = context
  const ended = round.finishedAt
  const received = receivedCount(round)
  const total = round.participants.reduce((sum, one) => sum + one.bytes, 0)
  const dropped = round.energyDropped === null ? '-' : percent(round.energyDropped)
  const took = duration((ended ?? now) - round.openedAt)
  const left = ended === null ? `deadline in ${duration(round.deadline - now)}` : 'finished'
  const expected = Math.max(1, round.quorum, round.participants.length)
  const bar = progressBar(received / expected, 16, theme)
  const lines = [
    phaseStrip(round, theme),
    `updates  ${bar} ${received}/${expected} received, quorum ${round.quorum}`,
    `time     ${took} ${ended === null ? 'so far' : 'in all'}, ${left}`,
    `size     ${bytes(total)} received, energy dropped by re-factoring ${dropped}`,
    whyNotDone(round, context),
  ]
  const title = `Round ${round.round} of ${round.rounds}  ${round.phase}`
  return drawPane('round', title, lines, size, theme)
}

function phaseStrip(round: RoundInfo, theme: Theme): string {
  if (round.phase === 'aborted') {
    return theme.paint('error', `${theme.glyphs.failed} aborted`)
  }
  const current = STEPS.findIndex(([phase]) => phase === round.phase)
  return STEPS.map(([phase, title], index) => {
    if (index < current || (phase === 'published' && round.phase === 'published')) {
      return theme.paint('ok', `${theme.glyphs.done} ${title}`)
    }
    if (index === current) return theme.paint('accent', `${theme.glyphs.busy} ${title}`)
    return theme.paint('muted', `${theme.glyphs.todo} ${title}`)
  }).join('   ')
}

/** Why a round failed, or for whom it waits. */
function whyNotDone(round: RoundInfo, { theme, status, now }: ScreenContext): string {
  if (round.reason !== '') {
    return theme.paint(round.phase === 'aborted' ? 'error' : 'warn', round.reason)
  }
  if (round.phase !== 'waiting' && round.phase !== 'collecting') return ''
  const missing = round.participants.filter(
    ({ phase }) => phase !== 'received' && phase !== 'refused' && phase !== 'evaluating',
  )
  if (missing.length === 0) return ''
  const names = missing.map(({ id, name }) => {
    const peer = status.peers.find((one) => one.id === id)
    if (peer?.state !== 'down') return name
    return `${name} down${peer.lastSeen === null ? '' : ` ${age(now - peer.lastSeen)}`}`
  })
  return theme.paint('muted', `waiting for ${names.join(', ')}`)
}

const DEVICE_STEPS: readonly DevicePhase[] = ['dst', 'saml', 'tuned', 'offered', 'received']

const DEVICE_COLUMNS: readonly Column[] = [
  { title: 'DEVICE', width: 16 },
  ...DEVICE_STEPS.map((phase) => ({ title: phase.toUpperCase(), width: 8 })),
  { title: 'BYTES', width: 8, align: 'right' },
  { title: 'WHY', width: 4, grows: true },
]

function devicesPane(round: RoundInfo, { theme }: ScreenContext, size: Size): Pane {
  const columns = fitColumns(DEVICE_COLUMNS, inside(size).width)
  const rows = round.participants.map((one) => tableRow(columns, deviceCells(one, theme), theme))
  const lines =
    rows.length === 0
      ? ['No device takes part yet. On a device: cotune join <invite>']
      : [tableHead(columns, theme), ...rows]
  return drawPane('devices', `Devices ${round.participants.length}`, lines, size, theme)
}

function deviceCells(one: RoundParticipant, theme: Theme): readonly Cell[] {
  const { glyphs } = theme
  // A refused device has sent its update; an evaluating one is through with the round.
  const reached = one.phase === 'evaluating' ? DEVICE_STEPS.length : DEVICE_STEPS.indexOf(one.phase)
  const steps = DEVICE_STEPS.map((phase, index): Cell => {
    if (one.phase === 'refused') {
      return index === DEVICE_STEPS.length - 1
        ? { text: `${glyphs.failed} no`, role: 'error' }
        : { text: glyphs.done, role: 'ok' }
    }
    if (index < reached || (index === reached && phase === 'received')) {
      return { text: glyphs.done, role: 'ok' }
    }
    if (index === reached) return { text: glyphs.busy, role: 'accent' }
    return { text: glyphs.todo, role: 'muted' }
  })
  return [
    { text: one.name },
    ...steps,
    { text: one.bytes === 0 ? '-' : bytes(one.bytes) },
    { text: one.reason, role: 'error' },
  ]
}

const HISTORY_COLUMNS: readonly Column[] = [
  { title: 'ROUND', width: 5, align: 'right' },
  { title: 'PHASE', width: 10 },
  { title: 'TOOK', width: 7, align: 'right' },
  { title: 'UPDATES', width: 7, align: 'right' },
  { title: 'BYTES', width: 8, align: 'right' },
  { title: 'DROPPED', width: 7, align: 'right' },
  { title: 'WHY', width: 4, grows: true },
]

function historyPane(shown: RoundInfo, { status, theme }: ScreenContext, size: Size): Pane {
  const room = inside(size)
  const columns = fitColumns(HISTORY_COLUMNS, room.width)
  const newest = status.history.toSorted((a, b) => b.round - a.round)
  const rows = newest.map((round) =>
    tableRow(columns, historyCells(round), theme, round.round === shown.round),
  )
  const lines =
    rows.length === 0
      ? [theme.paint('muted', 'No round has ended yet.')]
      : [tableHead(columns, theme), ...rows]
  return drawPane('history', 'Rounds before', lines, size, theme)
}

function historyCells(round: RoundInfo): readonly Cell[] {
  const ended = round.finishedAt
  return [
    { text: String(round.round) },
    { text: round.phase, role: PHASE_ROLE[round.phase] },
    { text: ended === null ? '-' : duration(ended - round.openedAt) },
    { text: `${receivedCount(round)}/${round.participants.length}` },
    { text: bytes(round.participants.reduce((sum, one) => sum + one.bytes, 0)) },
    { text: round.energyDropped === null ? '-' : percent(round.energyDropped) },
    { text: round.reason, role: 'error' },
  ]
}
