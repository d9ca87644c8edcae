import type { DevicePhase, RoundInfo, RoundParticipant } from '#protocols/api'
import { bytes, duration, percent } from '../drawing/format.ts'
import { drawPane, inside, type Pane, type Size } from '../drawing/pane.ts'
import { type Cell, type Column, fitColumns, tableHead, tableRow } from '../drawing/table.ts'
import { PHASE_ROLE, type Theme } from '../drawing/theme.ts'
import type { DrawScreen, ScreenContext } from './context.ts'
import { receivedCount } from './header.ts'
import { chartPane, mainChart } from './loss-chart.ts'
import { ROUND_SUMMARY_HEIGHT, roundOnShow, roundSummary } from './round-summary.ts'
import { scoresPane } from './scores.ts'

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
  const rest = size.height - ROUND_SUMMARY_HEIGHT
  const devices = Math.min(Math.max(4, round.participants.length + 3), Math.ceil(rest / 2))
  const chart = rest - devices >= LEAST_ROWS_WITH_CHART ? Math.floor((rest - devices) / 2) : 0
  const below = rest - devices - chart
  const width = Math.floor(size.width * 0.54)
  return [
    [roundSummary(round, context, { width: size.width, height: ROUND_SUMMARY_HEIGHT })],
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

const DEVICE_STEPS: readonly DevicePhase[] = ['dst', 'saml', 'tuned', 'offered', 'received']

const DEVICE_COLUMNS: readonly Column[] = [
  { title: 'DEVICE', width: 16 },
  ...DEVICE_STEPS.map((phase) => ({ title: phase.toUpperCase(), width: phase.length })),
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
