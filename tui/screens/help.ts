import { dateTime } from '../drawing/format.ts'
import { drawPane, inside } from '../drawing/pane.ts'
import { type Binding, bindingsOf, KEYMAP, SCREEN_TITLES } from '../state/keymap.ts'
import type { DrawScreen, ScreenContext } from './context.ts'

const KEY_WIDTH = 25

/** Keys of the screen that Help was opened from, then those that work everywhere, then what this node is. */
export const drawHelp: DrawScreen = (context, size) => {
  const { ui, theme } = context
  const room = inside(size)
  const here = bindingsOf(ui.previous).filter(({ screens }) => screens !== undefined)
  const everywhere = KEYMAP.filter(({ screens }) => screens === undefined)
  const lines = [
    theme.paint('title', `In ${SCREEN_TITLES[ui.previous]}`),
    ...inColumns(here, room.width, context),
    '',
    theme.paint('title', 'Everywhere'),
    ...inColumns(everywhere, room.width, context),
    '',
    theme.paint('title', 'This node'),
    ...about(context).map((line) => theme.fitText(line, room.width)),
  ]
  return [[drawPane('help', 'Help', lines, size, theme)]]
}

function inColumns(
  bindings: readonly Binding[],
  width: number,
  { theme }: ScreenContext,
): readonly string[] {
  const columns = Math.max(1, Math.floor(width / KEY_WIDTH))
  const rows = Math.ceil(bindings.length / columns)
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: columns }, (_, column) => {
      const binding = bindings[column * rows + row]
      if (binding === undefined) return ''
      const keys = theme.paint('accent', theme.fitText(shownKeys(binding, theme.ascii), 10))
      return `${keys}${theme.fitText(binding.label, KEY_WIDTH - 10)}`
    }).join(''),
  )
}

function shownKeys({ shown }: Binding, ascii: boolean): string {
  return ascii ? shown.replace('↑', 'up').replace('↓', 'down') : shown
}

function about({ status, readOnly }: ScreenContext): readonly string[] {
  const watch = readOnly ? 'read-only: ' : ''
  return [
    `${status.name}, ${status.role}, cotune ${status.version}, up since ${dateTime(status.startedAt)} UTC`,
    `peer ${status.peerId}`,
    `run  ${status.runId ?? 'none yet'}`,
    ...status.addresses.map((address) => `at   ${address}`),
    `${watch}these screens only watch. To act: cotune --help`,
  ]
}
