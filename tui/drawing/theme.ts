import type { DevicePhase, PeerState, RoundPhase } from '#protocols/api'
import { asciiOnly, fitText } from './text.ts'

/** What a piece of text means; only the theme knows how a meaning looks. */
export type Role =
  | 'ok'
  | 'warn'
  | 'error'
  | 'accent'
  | 'muted'
  | 'title'
  | 'select'
  | 'border'
  | 'series1'
  | 'series2'
  | 'series3'
  | 'series4'

/** `colour`: the 16 ANSI colours, fit for light and dark; `mono`: bold, dim and reverse only; `plain`: no escape code at all. */
export type Palette = 'colour' | 'mono' | 'plain'

interface Glyphs {
  readonly state: Readonly<Record<PeerState, string>>
  readonly done: string
  readonly busy: string
  readonly todo: string
  readonly failed: string
  readonly warning: string
  readonly full: string
  readonly empty: string
  readonly ellipsis: string
  readonly dot: string
  readonly cursor: string
  readonly spark: string
  readonly border: {
    readonly topLeft: string
    readonly topRight: string
    readonly bottomLeft: string
    readonly bottomRight: string
    readonly horizontal: string
    readonly vertical: string
    readonly tick: string
    readonly corner: string
  }
}

export interface Theme {
  readonly palette: Palette
  readonly ascii: boolean
  readonly glyphs: Glyphs
  /** Wraps `text` in the codes of its role, or returns it as it is. */
  paint(role: Role, text: string): string
  /** Drops all styles of a line and dims it: old data. */
  fade(line: string): string
  /** `fitText`, in the theme's alphabet. */
  fitText(text: string, width: number, align?: 'left' | 'right'): string
}

/** Only characters that are one cell wide in every terminal we know; see also `ASCII`. */
const UNICODE: Glyphs = {
  state: { training: '●', syncing: '◐', idle: '○', waiting: '·', down: '✗' },
  done: '✓',
  busy: '◐',
  todo: '·',
  failed: '✗',
  warning: '▲',
  full: '█',
  empty: '░',
  ellipsis: '…',
  dot: '·',
  cursor: '▏',
  spark: '▁▂▃▄▅▆▇█',
  border: {
    topLeft: '╭',
    topRight: '╮',
    bottomLeft: '╰',
    bottomRight: '╯',
    horizontal: '─',
    vertical: '│',
    tick: '┴',
    corner: '└',
  },
}

/** For terminals without UTF-8, and for the Linux console, whose font has no braille. */
const ASCII: Glyphs = {
  state: { training: '*', syncing: '~', idle: 'o', waiting: '.', down: 'x' },
  done: '+',
  busy: '~',
  todo: '.',
  failed: 'x',
  warning: '!',
  full: '#',
  empty: '.',
  ellipsis: '~',
  dot: '|',
  cursor: '_',
  spark: '_.-=+*%#',
  border: {
    topLeft: '+',
    topRight: '+',
    bottomLeft: '+',
    bottomRight: '+',
    horizontal: '-',
    vertical: '|',
    tick: '+',
    corner: '+',
  },
}

type Codes = readonly [open: string, close: string]
const BOLD: Codes = ['1', '22']
const DIM: Codes = ['2', '22']
const REVERSE: Codes = ['7', '27']
const colour = (code: string): Codes => [code, '39']

const COLOURS: Readonly<Record<Role, Codes>> = {
  ok: colour('32'),
  warn: colour('33'),
  error: colour('31'),
  accent: colour('36'),
  muted: DIM,
  title: BOLD,
  select: REVERSE,
  border: DIM,
  series1: colour('36'),
  series2: colour('33'),
  series3: colour('35'),
  series4: colour('32'),
}

const MONO: Readonly<Partial<Record<Role, Codes>>> = {
  error: BOLD,
  warn: BOLD,
  muted: DIM,
  title: BOLD,
  select: REVERSE,
  border: DIM,
}

const STYLES = /\u001b\[[0-9;]*m/g

/** Text without its styles. */
export function unstyled(text: string): string {
  return text.replace(STYLES, '')
}

export function createTheme(init: { readonly palette: Palette; readonly ascii?: boolean }): Theme {
  const { palette, ascii = false } = init
  const glyphs = ascii ? ASCII : UNICODE
  const codes = palette === 'colour' ? COLOURS : palette === 'mono' ? MONO : {}
  const paint = (role: Role, text: string): string => {
    const code = codes[role]
    return code === undefined || text === '' ? text : `\u001b[${code[0]}m${text}\u001b[${code[1]}m`
  }
  return {
    palette,
    ascii,
    glyphs,
    paint,
    fade: (line) => paint('muted', unstyled(line)),
    fitText: (text, width, align) =>
      fitText(ascii ? asciiOnly(text) : text, width, align, glyphs.ellipsis),
  }
}

export const PEER_ROLE: Readonly<Record<PeerState, Role | undefined>> = {
  training: 'ok',
  syncing: 'accent',
  idle: undefined,
  waiting: 'muted',
  down: 'error',
}

export const PHASE_ROLE: Readonly<Record<RoundPhase | DevicePhase, Role | undefined>> = {
  waiting: 'muted',
  collecting: 'accent',
  aggregating: 'accent',
  tuning: 'accent',
  published: 'ok',
  aborted: 'error',
  idle: 'muted',
  dst: 'accent',
  saml: 'accent',
  tuned: 'accent',
  offered: 'accent',
  received: 'ok',
  evaluating: 'accent',
  refused: 'error',
}

export const SERIES_ROLES = ['series1', 'series2', 'series3', 'series4'] as const

/**
 * What the environment asks for. `NO_COLOR` (any value) beats `FORCE_COLOR`, an explicit choice beats both;
 * ASCII where the locale is not UTF-8 and on the Linux console.
 */
export function themeOf(
  env: Readonly<Record<string, string | undefined>>,
  choice: { readonly color?: boolean | undefined; readonly ascii?: boolean | undefined } = {},
): Theme {
  const forced = env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '0'
  const none = env.NO_COLOR || env.FORCE_COLOR === '0' || (env.TERM === 'dumb' && !forced)
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || ''
  return createTheme({
    palette: (choice.color ?? !none) ? 'colour' : 'mono',
    ascii: choice.ascii ?? (env.TERM === 'linux' || !/utf-?8/i.test(locale)),
  })
}
