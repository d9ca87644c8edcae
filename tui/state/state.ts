import type { ScreenName } from './keymap.ts'
import { EMPTY_MODEL, type Model } from './model.ts'
import { INITIAL_UI, type Ui } from './ui.ts'

/** Everything a frame is drawn from. */
export interface TuiState {
  readonly model: Model
  /** The model as it was when the view was paused; collection goes on in `model`. */
  readonly frozen: Model | null
  readonly ui: Ui
  readonly columns: number
  readonly rows: number
  /** Milliseconds since the epoch; a frame never asks the clock itself. */
  readonly now: number
  /** What only the terminal can do, asked for by a key; the runner does it. */
  readonly wish: 'none' | 'quit' | 'suspend' | 'repaint'
  readonly readOnly: boolean
}

export function initialState(init: {
  readonly columns: number
  readonly rows: number
  readonly now: number
  readonly screen?: ScreenName
  readonly readOnly?: boolean
}): TuiState {
  const { columns, rows, now, screen = 'mesh', readOnly = false } = init
  return {
    model: EMPTY_MODEL,
    frozen: null,
    ui: { ...INITIAL_UI, screen },
    columns,
    rows,
    now,
    wish: 'none',
    readOnly,
  }
}

/** The model that the screens show. */
export function shownModel(state: TuiState): Model {
  return state.frozen ?? state.model
}
