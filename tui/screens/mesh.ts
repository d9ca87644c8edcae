import type { PeerInfo } from '#protocols/api'
import { age, bytes, loss } from '../drawing/format.ts'
import { drawPane, inside, type Pane, type Size, stackPanes } from '../drawing/pane.ts'
import { sparkline } from '../drawing/sparkline.ts'
import { type Cell, type Column, fitColumns, tableHead, tableRow } from '../drawing/table.ts'
import { PEER_ROLE } from '../drawing/theme.ts'
import { allPeers, cursorOf, shownLog, shownPeers } from '../state/lists.ts'
import { INITIAL_UI } from '../state/ui.ts'
import { type DrawScreen, type ScreenContext, WIDE_COLUMNS, windowAround } from './context.ts'
import { logText } from './log-lines.ts'
import { chartPane, mainChart } from './loss-chart.ts'
import { peerDetail } from './peer-detail.ts'
import { ROUND_SUMMARY_HEIGHT, roundOnShow, roundSummary } from './round-summary.ts'
import { scoresPane } from './scores.ts'

/** A peer that was not heard for this long is shown dim, with the age of what is known. */
const OLD_AFTER_MS = 30_000
const LEAST_EVENTS_HEIGHT = 5

interface PeerColumn extends Column {
  cell(peer: PeerInfo, context: ScreenContext): Cell
}

const COLUMNS: readonly PeerColumn[] = [
  {
    title: 'NAME',
    width: 14,
    grows: true,
    cell: (peer, { status }) => ({
      text: `${peer.id === status.peerId ? '*' : ' '}${peer.name}`,
    }),
  },
  {
    title: 'STATE',
    width: 10,
    cell: ({ state }, { theme }) => ({
      text: `${theme.glyphs.state[state]} ${state}`,
      role: PEER_ROLE[state],
    }),
  },
  number('ROUND', 5, ({ round }) => (round === null ? '-' : String(round))),
  number('STEP', 5, ({ step }) => (step === null ? '-' : String(step))),
  number('LOSS', 6, (peer) => (peer.loss === null ? '-' : loss(peer.loss))),
  {
    title: 'TREND',
    width: 8,
    cell: (peer, { model, theme }) => ({
      text: sparkline(model.peerSeries.get(peer.id)?.values ?? [], 8, theme),
      role: 'accent',
    }),
  },
  number('UP', 7, ({ bytesUp }) => bytes(bytesUp)),
  number('DOWN', 7, ({ bytesDown }) => bytes(bytesDown)),
  number('RTT', 6, ({ rttMs }) => (rttMs === null ? '-' : `${Math.round(rttMs)}ms`)),
  number('SEEN', 5, seen),
  { title: 'ROLE', width: 6, cell: ({ role }) => ({ text: role }) },
]

function number(
  title: string,
  width: number,
  text: (peer: PeerInfo, context: ScreenContext) => string,
): PeerColumn {
  return { title, width, align: 'right', cell: (peer, context) => ({ text: text(peer, context) }) }
}

function seen(peer: PeerInfo, { now }: ScreenContext): string {
  if (peer.lastSeen === null) return '-'
  return `${isOld(peer, now) ? '~' : ''}${age(now - peer.lastSeen)}`
}

function isOld(peer: PeerInfo, now: number): boolean {
  return peer.lastSeen !== null && now - peer.lastSeen > OLD_AFTER_MS
}

/** Peers, the loss chart and the last events; where there is room the round and the scores; a peer's details on demand. */
export const drawMesh: DrawScreen = (context, size) => {
  const peers = shownPeers(context.model, context.ui)
  const selected = peers[cursorOf(context.ui, peers.length)]
  if (context.ui.detail && selected !== undefined) return peerDetail(selected, context, size)

  const rows = peerBlocks(peers, context, size.width).flat().length
  const notes = notesOf(context)
  const tableHeight = Math.max(6, rows + notes.length + 3)
  if (size.width >= WIDE_COLUMNS) {
    const eventsHeight = Math.max(LEAST_EVENTS_HEIGHT, Math.floor(size.height * 0.24))
    const height = size.height - eventsHeight
    const width = Math.ceil(size.width * 0.57)
    const chart = { width: size.width - width, height }
    return [
      [
        besideChart(peers, context, { width, height }, tableHeight),
        chartPane('chart', mainChart(context), context, chart),
      ],
      context.model.scores.length === 0
        ? [eventsPane(context, { width: size.width, height: eventsHeight })]
        : [
            eventsPane(context, { width, height: eventsHeight }),
            scoresPane(context, { width: size.width - width, height: eventsHeight }),
          ],
    ]
  }
  const peersHeight = Math.min(tableHeight, Math.ceil(size.height * (notes.length > 0 ? 0.5 : 0.4)))
  const chartHeight = size.height - peersHeight - LEAST_EVENTS_HEIGHT
  const pane = (height: number) => ({ width: size.width, height })
  if (chartHeight < 5) {
    return [
      [peersPane(peers, context, pane(peersHeight))],
      [eventsPane(context, pane(size.height - peersHeight))],
    ]
  }
  return [
    [peersPane(peers, context, pane(peersHeight))],
    [chartPane('chart', mainChart(context), context, pane(chartHeight))],
    [eventsPane(context, pane(LEAST_EVENTS_HEIGHT))],
  ]
}

/** The peers, and below them the round if there is room for both. */
function besideChart(
  peers: readonly PeerInfo[],
  context: ScreenContext,
  { width, height }: Size,
  tableHeight: number,
): Pane {
  const round = roundOnShow(context.model, { ...context.ui, round: null })
  if (round === undefined || height - tableHeight < ROUND_SUMMARY_HEIGHT) {
    return peersPane(peers, context, { width, height })
  }
  const peersHeight = height - ROUND_SUMMARY_HEIGHT
  return stackPanes([
    peersPane(peers, context, { width, height: peersHeight }),
    roundSummary(round, context, { width, height: ROUND_SUMMARY_HEIGHT }),
  ])
}

function peersPane(peers: readonly PeerInfo[], context: ScreenContext, size: Size): Pane {
  const { theme, ui, model } = context
  const room = inside(size)
  const filter = ui.filters.mesh ?? ''
  const total = allPeers(model).length
  const counted = filter === '' ? `${total}` : `${peers.length}/${total}  / ${filter}`
  const sort = ui.sort === 'name' ? '' : `  by ${ui.sort}`
  const title = `Peers ${counted}${sort}`
  const notes = notesOf(context)
  const head = tableHead(fitColumns(COLUMNS, room.width), theme)
  const blocks = peerBlocks(peers, context, room.width)
  const cursor = cursorOf(ui, peers.length)
  const above = blocks.slice(0, cursor).flat().length
  const shown = windowAround(blocks.flat(), above, room.height - 1)
  return drawPane('peers', title, [head, ...shown, ...notes], size, theme)
}

/** The lines of each peer: its row and, where it is not well, why. */
function peerBlocks(
  peers: readonly PeerInfo[],
  context: ScreenContext,
  width: number,
): readonly (readonly string[])[] {
  const { theme, ui, now } = context
  const columns = fitColumns(COLUMNS, width)
  const cursor = cursorOf(ui, peers.length)
  return peers.map((peer, index) => {
    const cells = columns.map((column) => column.cell(peer, context))
    const row = tableRow(columns, cells, theme, index === cursor)
    const line = isOld(peer, now) && index !== cursor ? theme.fade(row) : row
    if (peer.reason === '') return [line]
    const reason = theme.fitText(`   ${theme.glyphs.border.corner} ${peer.reason}`, width)
    return [line, theme.paint(peer.state === 'down' ? 'error' : 'warn', reason)]
  })
}

/** What to do when nobody else is there. */
function notesOf({ status, model, theme }: ScreenContext): readonly string[] {
  if (allPeers(model).length > 1) return []
  const address = status.addresses[0]
  const next =
    status.role === 'cloud'
      ? ['Here:          cotune invite', 'On the device: cotune join <invite>']
      : ['To join a mesh: cotune join <invite>', 'The cloud peer makes one: cotune invite']
  const where = address === undefined ? [] : [theme.paint('muted', `This node: ${address}`)]
  return ['No peers yet.', ...next, ...where]
}

function eventsPane(context: ScreenContext, size: Size): Pane {
  const { model, theme } = context
  const room = inside(size)
  const log = shownLog(model, INITIAL_UI)
  const lines = log.slice(-room.height).map((line) => logText(line, room.width, theme))
  const shown = lines.length > 0 ? lines : [theme.paint('muted', 'Nothing has happened yet.')]
  return drawPane('events', 'Events', shown, size, theme)
}
