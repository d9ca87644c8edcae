import { drawPane, type Size } from '../drawing/pane.ts'
import { wrap } from '../drawing/text.ts'
import type { Theme } from '../drawing/theme.ts'
import type { ScreenName } from '../state/keymap.ts'
import { shownModel, type TuiState } from '../state/state.ts'
import type { DrawScreen, PaneRow } from './context.ts'
import { drawData } from './data.ts'
import { drawEvents } from './events.ts'
import { hintsLine, tabsLine } from './footer.ts'
import { headerLine } from './header.ts'
import { drawHelp } from './help.ts'
import { drawLoss } from './loss.ts'
import { drawMesh } from './mesh.ts'
import { drawRound } from './round.ts'

/** A whole frame, ready to be laid out: every line is exactly as wide as its place. */
export interface View {
  readonly columns: number
  readonly rows: number
  readonly header: string
  readonly panes: readonly PaneRow[]
  readonly tabs: string
  readonly hints: string
}

const LEAST: Size = { width: 60, height: 16 }

const SCREENS: Readonly<Record<ScreenName, DrawScreen>> = {
  mesh: drawMesh,
  round: drawRound,
  loss: drawLoss,
  data: drawData,
  events: drawEvents,
  help: drawHelp,
}

/** The frame of a state. */
export function viewOf(state: TuiState, theme: Theme): View {
  const { columns, rows } = state
  if (columns < LEAST.width || rows < LEAST.height) return tooSmall(state, theme)
  const size = { width: columns, height: rows - 3 }
  const drawn = bodyOf(state, theme, size)
  const faded = state.model.connection.kind === 'disconnected' && state.model.status !== null
  return {
    columns,
    rows,
    header: headerLine(state, theme),
    panes: faded ? drawn.map((row) => fade(row, theme)) : drawn,
    tabs: tabsLine(state, theme),
    hints: hintsLine(state, theme),
  }
}

function bodyOf(state: TuiState, theme: Theme, size: Size): readonly PaneRow[] {
  const { ui, now, readOnly } = state
  const model = shownModel(state)
  const { status } = model
  if (status === null) return [[unreached(state, theme, size)]]
  return SCREENS[ui.screen]({ model, status, ui, theme, now, readOnly }, size)
}

/** Nothing was ever received: say why, what to do, and when it is tried again. */
function unreached(state: TuiState, theme: Theme, size: Size) {
  const { connection } = state.model
  if (connection.kind !== 'disconnected') {
    return drawPane('connecting', 'Connecting', ['Asking the peer for its state.'], size, theme)
  }
  const seconds = Math.max(0, Math.ceil((connection.retryAt - state.now) / 1_000))
  const width = size.width - 4
  const lines = [
    ...wrap(connection.message, width).map((line) => theme.paint('error', line)),
    '',
    ...wrap(connection.hint, width),
    // The client's own hint names the commands already.
    ...(connection.hint.includes('cotune daemon')
      ? []
      : ['Start a device: cotune daemon     Start a cloud peer: cotune cloud']),
    '',
    theme.paint('muted', `Trying again in ${seconds} s.`),
  ]
  return drawPane('unreached', 'No answer', lines, size, theme)
}

function fade(row: PaneRow, theme: Theme): PaneRow {
  return row.map((pane) => ({ ...pane, lines: pane.lines.map(theme.fade) }))
}

function tooSmall({ columns, rows }: TuiState, theme: Theme): View {
  const text = `This terminal is too small (${columns}x${rows}): at least ${LEAST.width}x${LEAST.height} is needed. Without a terminal: cotune status`
  const lines = wrap(text, columns).slice(0, rows)
  const at = (index: number) => theme.fitText(lines[index] ?? '', columns)
  const rest = lines.slice(1).map((_, index) => at(index + 1))
  return {
    columns,
    rows,
    header: at(0),
    panes: rest.length === 0 ? [] : [[{ name: 'notice', lines: rest }]],
    tabs: '',
    hints: '',
  }
}

/** The frame as lines, without Ink: what Ink must show too, held equal by a test. */
export function linesOf(view: View): readonly string[] {
  const body = view.panes.flatMap((row) => {
    const height = Math.max(...row.map(({ lines }) => lines.length))
    return Array.from({ length: height }, (_, y) => row.map(({ lines }) => lines[y] ?? '').join(''))
  })
  const foot = view.tabs === '' ? [] : [view.tabs, view.hints]
  return [view.header, ...body, ...foot]
}
