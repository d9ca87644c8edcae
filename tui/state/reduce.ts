import { type Arrival, reduceModel } from './reduce-model.ts'
import { type Key, reduceKey } from './reduce-ui.ts'
import { shownModel, type TuiState } from './state.ts'

export type Action =
  | Arrival
  | { readonly type: 'key'; readonly key: Key }
  | { readonly type: 'tick'; readonly now: number }
  | { readonly type: 'resize'; readonly columns: number; readonly rows: number }
  /** The runner has done what a key wished for. */
  | { readonly type: 'granted' }

/** Rows of a screen that are not its lists: header, tabs, footer, borders, headings. */
const ROWS_AROUND_LISTS = 7

/** The whole behaviour of the terminal interface: no clock, no input, no output. */
export function reduce(state: TuiState, action: Action): TuiState {
  switch (action.type) {
    case 'key':
      return press(state, action.key)
    case 'tick':
      return { ...state, now: action.now }
    case 'resize':
      return { ...state, columns: action.columns, rows: action.rows }
    case 'granted':
      return { ...state, wish: 'none' }
    default:
      return { ...state, model: reduceModel(state.model, action) }
  }
}

function press(state: TuiState, key: Key): TuiState {
  const model = shownModel(state)
  const pageRows = Math.max(1, Math.floor((state.rows - ROWS_AROUND_LISTS) / 2))
  const { ui, command } = reduceKey(state.ui, key, { model, pageRows })
  switch (command) {
    case 'pause':
      return { ...state, ui, frozen: state.frozen === null ? state.model : null }
    case 'quit':
    case 'suspend':
    case 'repaint':
      return { ...state, ui, wish: command }
    default:
      return { ...state, ui }
  }
}
