import { sanitise } from '../drawing/text.ts'
import { type Command, commandOf, SCREENS, type ScreenName } from './keymap.ts'
import { cursorOf, listLength } from './lists.ts'
import type { Model } from './model.ts'
import { LEVELS, SMOOTHINGS, SORTS, type Ui } from './ui.ts'

export interface Key {
  /** `a`, `G`, `enter`, `escape`, `up`, `ctrl-c`, `paste`, ... */
  readonly name: string
  /** What the key would write; empty for those that write nothing. */
  readonly text: string
}

const FILTER_LIMIT = 60

/** What a key does; the command is reported too, for those that only the runner can carry out. */
export function reduceKey(
  ui: Ui,
  key: Key,
  context: { readonly model: Model; readonly pageRows: number },
): { readonly ui: Ui; readonly command: Command | undefined } {
  // Ctrl-C must work from everywhere, a prompt included.
  if (ui.prompt !== null && key.name !== 'ctrl-c') {
    return { ui: typeFilter(ui, ui.prompt, key), command: undefined }
  }
  const command = commandOf(ui.screen, key.name)
  return { ui: command === undefined ? ui : obey(ui, command, context), command }
}

/** The list follows while typing; enter and escape close the prompt, a second escape drops the filter. */
function typeFilter(ui: Ui, prompt: string, key: Key): Ui {
  if (key.name === 'enter' || key.name === 'escape') return { ...ui, prompt: null }
  const erase = key.name === 'backspace' || key.name === 'delete'
  const text = erase ? prompt.slice(0, -1) : (prompt + sanitise(key.text)).slice(0, FILTER_LIMIT)
  return { ...withFilter(ui, text), prompt: text }
}

function withFilter(ui: Ui, text: string): Ui {
  return {
    ...ui,
    filters: { ...ui.filters, [ui.screen]: text },
    cursors: { ...ui.cursors, [ui.screen]: 0 },
  }
}

type Context = { readonly model: Model; readonly pageRows: number }

function obey(ui: Ui, command: Command, context: Context): Ui {
  switch (command) {
    case 'mesh':
    case 'round':
    case 'loss':
    case 'data':
    case 'events':
      return goTo(ui, command)
    case 'help':
      return ui.screen === 'help' ? goTo(ui, ui.previous) : goTo(ui, 'help')
    case 'nextScreen':
      return goTo(ui, neighbour(ui.screen, 1))
    case 'previousScreen':
      return goTo(ui, neighbour(ui.screen, -1))
    case 'up':
      return move(ui, -1, context)
    case 'down':
      return move(ui, 1, context)
    case 'pageUp':
      return move(ui, -context.pageRows, context)
    case 'pageDown':
      return move(ui, context.pageRows, context)
    case 'top':
      return move(ui, Number.NEGATIVE_INFINITY, context)
    case 'bottom':
      return move(ui, Number.POSITIVE_INFINITY, context)
    case 'open':
      return listLength(context.model, ui) > 0 ? { ...ui, detail: true } : ui
    case 'back':
      return back(ui)
    case 'filter':
      return { ...ui, prompt: ui.filters[ui.screen] ?? '', detail: false }
    case 'sort':
      return { ...ui, sort: SORTS[(SORTS.indexOf(ui.sort) + 1) % SORTS.length] ?? 'name' }
    case 'follow':
      return ui.screen === 'round' ? { ...ui, round: null } : toggleFollow(ui, context)
    case 'levelUp':
      return { ...ui, level: LEVELS[LEVELS.indexOf(ui.level) + 1] ?? 'error' }
    case 'levelDown':
      return { ...ui, level: LEVELS[Math.max(0, LEVELS.indexOf(ui.level) - 1)] ?? 'debug' }
    case 'previousRound':
      return turnRound(ui, -1, context)
    case 'nextRound':
      return turnRound(ui, 1, context)
    case 'logScale':
      return { ...ui, logScale: !ui.logScale }
    case 'smoothLess':
      return { ...ui, smoothing: Math.max(0, ui.smoothing - 1) }
    case 'smoothMore':
      return { ...ui, smoothing: Math.min(SMOOTHINGS.length - 1, ui.smoothing + 1) }
    case 'pause':
    case 'repaint':
    case 'suspend':
    case 'quit':
      return ui
  }
}

function goTo(ui: Ui, screen: ScreenName): Ui {
  if (screen === ui.screen) return { ...ui, detail: false }
  const previous = ui.screen === 'help' ? ui.previous : ui.screen
  return { ...ui, screen, previous, detail: false, prompt: null }
}

function neighbour(screen: ScreenName, step: number): ScreenName {
  return SCREENS[(SCREENS.indexOf(screen) + step + SCREENS.length) % SCREENS.length] ?? 'mesh'
}

/** One thing at a time: the filter, then the detail, then Help. Never quits. */
function back(ui: Ui): Ui {
  if ((ui.filters[ui.screen] ?? '') !== '') return withFilter(ui, '')
  if (ui.detail) return { ...ui, detail: false }
  return ui.screen === 'help' ? goTo(ui, ui.previous) : ui
}

/** Scrolling up in Events stops following, reaching the bottom resumes it. */
function move(ui: Ui, step: number, { model }: Context): Ui {
  const length = listLength(model, ui)
  const last = Math.max(0, length - 1)
  const cursor = Math.min(last, Math.max(0, cursorOf(ui, length) + step))
  const follow = ui.screen === 'events' ? cursor === last : ui.follow
  return { ...ui, follow, cursors: { ...ui.cursors, [ui.screen]: cursor } }
}

function toggleFollow(ui: Ui, { model }: Context): Ui {
  const last = Math.max(0, listLength(model, ui) - 1)
  return { ...ui, follow: !ui.follow, cursors: { ...ui.cursors, events: last } }
}

function turnRound(ui: Ui, step: number, { model }: Context): Ui {
  const known = knownRounds(model)
  const latest = known.at(-1)
  if (latest === undefined) return ui
  const index = known.indexOf(ui.round ?? latest) + step
  const round = known[Math.max(0, index)] ?? latest
  return { ...ui, round: round === latest ? null : round }
}

/** Numbers of the rounds that can be shown, ascending. */
function knownRounds(model: Model): readonly number[] {
  const { status } = model
  const rounds = (status?.history ?? []).map(({ round }) => round)
  const all = status?.round ? [...rounds, status.round.round] : rounds
  return [...new Set(all)].toSorted((a, b) => a - b)
}
