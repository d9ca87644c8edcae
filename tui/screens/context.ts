import type { Status } from '#protocols/api'
import type { Pane, Size } from '../drawing/pane.ts'
import type { Theme } from '../drawing/theme.ts'
import type { Model } from '../state/model.ts'
import type { Ui } from '../state/ui.ts'

/** What a screen is drawn from. */
export interface ScreenContext {
  readonly model: Model
  readonly status: Status
  readonly ui: Ui
  readonly theme: Theme
  readonly now: number
  readonly readOnly: boolean
}

/** Panes that stand side by side; together they are as wide as the screen. */
export type PaneRow = readonly Pane[]

/** Draws rows of panes that fill `size` exactly. */
export type DrawScreen = (context: ScreenContext, size: Size) => readonly PaneRow[]

/** From here on a screen has two columns. */
export const WIDE_COLUMNS = 110

/** The part of `lines` that fits into `rows` and holds `cursor` near its middle. */
export function windowAround<T>(lines: readonly T[], cursor: number, rows: number): readonly T[] {
  const first = Math.min(
    Math.max(0, cursor - Math.floor(rows / 2)),
    Math.max(0, lines.length - rows),
  )
  return lines.slice(first, first + rows)
}
