import { asciiOnly, widthOf } from '../drawing/text.ts'
import type { Theme } from '../drawing/theme.ts'
import { bindingsOf, KEYMAP, SCREEN_TITLES, SCREENS } from '../state/keymap.ts'
import type { TuiState } from '../state/state.ts'

/** A new alert takes the place of the key hints for this long. */
const ALERT_SHOWN_MS = 5_000

/** The screens and their keys; the present one in brackets. */
export function tabsLine(state: TuiState, theme: Theme): string {
  const tabs = SCREENS.map((screen) => {
    const key = KEYMAP.find(({ command }) => command === screen)?.shown ?? ''
    const name = `${key} ${SCREEN_TITLES[screen]}`
    return screen === state.ui.screen ? theme.paint('title', `[${name}]`) : ` ${name} `
  })
  return lineOf(tabs.join(' '), state.columns, theme)
}

/** The prompt, why nobody answers, a new alert, or the keys that work here. */
export function hintsLine(state: TuiState, theme: Theme): string {
  const { prompt } = state.ui
  if (prompt !== null) {
    const help = theme.paint('muted', 'enter keep  esc close  !text excludes')
    return lineOf(` / ${prompt}${theme.glyphs.cursor}   ${help}`, state.columns, theme)
  }
  const { connection } = state.model
  if (connection.kind === 'disconnected') {
    const text = ` ${connection.message} ${theme.glyphs.dot} ${connection.hint}`
    return theme.paint('error', theme.fitText(text, state.columns))
  }
  const alert = (state.model.status?.alerts ?? []).findLast(
    ({ since }) => state.now - since < ALERT_SHOWN_MS,
  )
  if (alert !== undefined) {
    const role = alert.severity === 'error' ? 'error' : 'warn'
    const text = ` ${theme.glyphs.warning} ${alert.text} ${theme.glyphs.dot} ${alert.hint}`
    return theme.paint(role, theme.fitText(text, state.columns))
  }
  return lineOf(theme.paint('muted', keyHints(state, theme)), state.columns, theme)
}

/** Help and quit always stay; of the others the rightmost go first. */
function keyHints(state: TuiState, theme: Theme): string {
  const bindings = bindingsOf(state.ui.screen).filter(({ hint }) => hint !== undefined)
  const pinned = bindings.filter(({ command }) => command === 'help' || command === 'quit')
  const others = bindings.filter((binding) => !pinned.includes(binding))
  for (let shown = others.length; ; shown -= 1) {
    const hints = [...others.slice(0, shown), ...pinned].map(({ hint }) => hint)
    const line = ` ${hints.join(` ${theme.glyphs.dot} `)}`
    if (shown === 0 || widthOf(line) <= state.columns) return line
  }
}

function lineOf(line: string, columns: number, theme: Theme): string {
  const text = theme.ascii ? asciiOnly(line.replaceAll('↑↓', 'j/k')) : line
  const width = widthOf(text)
  return width > columns ? theme.fitText(text, columns) : text + ' '.repeat(columns - width)
}
