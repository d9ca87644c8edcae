import type { Numbered } from '#base'
import type { PeerEvent, Status } from '#protocols/api'
import { createTheme } from './drawing/theme.ts'
import { linesOf, viewOf } from './screens/view.ts'
import type { ScreenName } from './state/keymap.ts'
import { reduce } from './state/reduce.ts'
import { initialState } from './state/state.ts'

export interface RenderOnceOptions {
  readonly columns?: number
  readonly rows?: number
  readonly screen?: ScreenName
  /** ASCII characters only. */
  readonly ascii?: boolean
  /** Without it there is no escape code in the frame. */
  readonly color?: boolean
  /** Curves, scores and log lines come from events; a snapshot has none. */
  readonly events?: readonly Numbered<PeerEvent>[]
  /** Milliseconds since the epoch; ages are counted from here. */
  readonly now?: number
}

/** One frame of the terminal interface as text, lines parted by `\n`, for `--once`, documents and tests. Loads no Ink. */
export function renderOnce(status: Status, options: RenderOnceOptions = {}): string {
  const { columns = 80, rows = 24, screen = 'mesh', ascii = false, color = false } = options
  const now = options.now ?? Date.now()
  const begun = initialState({ columns, rows, now, screen })
  const known = reduce(begun, { type: 'snapshot', status, at: now })
  const state = (options.events ?? []).reduce(
    (folded, entry) => reduce(folded, { type: 'event', entry, at: entry.at }),
    known,
  )
  const heard = { ...state, model: { ...state.model, heardAt: now } }
  const theme = createTheme({ palette: color ? 'colour' : 'plain', ascii })
  return linesOf(viewOf(heard, theme))
    .map((line) => line.trimEnd())
    .join('\n')
}
