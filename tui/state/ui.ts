import type { ScreenName } from './keymap.ts'
import type { LogLevel } from './model.ts'

export const SORTS = ['name', 'state', 'loss', 'step', 'seen'] as const
export type Sort = (typeof SORTS)[number]

export const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

/** What the person at the keyboard chose; nothing in here comes from the mesh. */
export interface Ui {
  readonly screen: ScreenName
  /** Where `back` leads from Help. */
  readonly previous: ScreenName
  readonly filters: Readonly<Partial<Record<ScreenName, string>>>
  /** The filter being typed; null when no prompt is open. */
  readonly prompt: string | null
  readonly sort: Sort
  /** Selected row of the lists; Events counts from the newest line it shows while `follow`. */
  readonly cursors: Readonly<Partial<Record<ScreenName, number>>>
  readonly detail: boolean
  readonly follow: boolean
  readonly level: LogLevel
  /** The round on show; null follows the latest. */
  readonly round: number | null
  readonly logScale: boolean
  /** Index into SMOOTHINGS. */
  readonly smoothing: number
}

/** Weights of the past in the moving average, from none to strong. */
export const SMOOTHINGS = [0, 0.6, 0.8, 0.9, 0.95, 0.98] as const

export const INITIAL_UI: Ui = {
  screen: 'mesh',
  previous: 'mesh',
  filters: {},
  prompt: null,
  sort: 'name',
  cursors: {},
  detail: false,
  follow: true,
  level: 'info',
  round: null,
  logScale: false,
  smoothing: 2,
}
