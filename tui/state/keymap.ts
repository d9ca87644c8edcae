/** The screens, in the order of their keys. */
export const SCREENS = ['mesh', 'round', 'loss', 'data', 'events', 'help'] as const
export type ScreenName = (typeof SCREENS)[number]

export const SCREEN_TITLES: Readonly<Record<ScreenName, string>> = {
  mesh: 'Mesh',
  round: 'Round',
  loss: 'Loss',
  data: 'Data & privacy',
  events: 'Events',
  help: 'Help',
}

export type Command =
  | 'mesh'
  | 'round'
  | 'loss'
  | 'data'
  | 'events'
  | 'help'
  | 'quit'
  | 'up'
  | 'down'
  | 'pageUp'
  | 'pageDown'
  | 'top'
  | 'bottom'
  | 'open'
  | 'back'
  | 'filter'
  | 'sort'
  | 'pause'
  | 'follow'
  | 'levelUp'
  | 'levelDown'
  | 'previousRound'
  | 'nextRound'
  | 'logScale'
  | 'smoothLess'
  | 'smoothMore'
  | 'nextScreen'
  | 'previousScreen'
  | 'repaint'
  | 'suspend'

export interface Binding {
  readonly command: Command
  /** Names as `KeyDecoder` gives them. */
  readonly keys: readonly string[]
  /** How the keys are written for people. */
  readonly shown: string
  readonly label: string
  /** Where the binding holds; everywhere if left out. */
  readonly screens?: readonly ScreenName[]
  /** How the footer names it, or a pair of bindings; those without are in Help only. */
  readonly hint?: string
}

const LISTS: readonly ScreenName[] = ['mesh', 'events', 'data']

/** The only list of keys: input, footer and Help all come from it, in this order. */
export const KEYMAP: readonly Binding[] = [
  bind('up', ['k', 'up'], '↑ k', 'move up', { screens: LISTS }),
  bind('down', ['j', 'down'], '↓ j', 'move down', { screens: LISTS, hint: '↑↓ move' }),
  bind('open', ['enter', 'right'], 'enter', 'details', {
    screens: ['mesh', 'events'],
    hint: 'enter details',
  }),
  bind('previousRound', ['['], '[', 'previous round', { screens: ['round'], hint: '[ ] round' }),
  bind('nextRound', [']'], ']', 'next round', { screens: ['round'] }),
  bind('logScale', ['l'], 'l', 'log scale', { screens: ['mesh', 'loss'], hint: 'l log' }),
  bind('smoothLess', ['-'], '-', 'smooth less', { screens: ['mesh', 'loss'], hint: '- = smooth' }),
  bind('smoothMore', ['='], '=', 'smooth more', { screens: ['mesh', 'loss'] }),
  bind('filter', ['/'], '/', 'filter', { screens: LISTS, hint: '/ filter' }),
  bind('sort', ['s'], 's', 'sort', { screens: ['mesh'], hint: 's sort' }),
  bind('follow', ['f'], 'f', 'follow', { screens: ['events', 'round'], hint: 'f follow' }),
  bind('levelUp', ['+'], '+', 'fewer levels', { screens: ['events'], hint: '+ - level' }),
  bind('levelDown', ['-'], '-', 'more levels', { screens: ['events'] }),
  bind('top', ['g', 'home'], 'g', 'to the top', { screens: LISTS }),
  bind('bottom', ['G', 'end'], 'G', 'to the bottom', { screens: LISTS }),
  bind('pageUp', ['ctrl-u', 'pageup'], 'ctrl-u', 'page up', { screens: LISTS }),
  bind('pageDown', ['ctrl-d', 'pagedown'], 'ctrl-d', 'page down', { screens: LISTS }),
  bind('pause', ['p'], 'p', 'pause', { hint: 'p pause' }),
  bind('back', ['escape', 'left', 'backspace'], 'esc', 'back'),
  bind('mesh', ['1'], '1', 'Mesh'),
  bind('round', ['2'], '2', 'Round'),
  bind('loss', ['3'], '3', 'Loss'),
  bind('data', ['4'], '4', 'Data & privacy'),
  bind('events', ['5'], '5', 'Events'),
  bind('nextScreen', ['tab', 'L'], 'tab', 'next screen'),
  bind('previousScreen', ['shift-tab', 'H'], 'shift-tab', 'previous screen'),
  bind('help', ['?', 'h', 'f1'], '?', 'help', { hint: '? help' }),
  bind('repaint', ['ctrl-l', 'r'], 'ctrl-l', 'repaint'),
  bind('suspend', ['ctrl-z'], 'ctrl-z', 'suspend'),
  bind('quit', ['q', 'ctrl-c'], 'q', 'quit', { hint: 'q quit' }),
]

function bind(
  command: Command,
  keys: readonly string[],
  shown: string,
  label: string,
  more: { readonly screens?: readonly ScreenName[]; readonly hint?: string } = {},
): Binding {
  return { command, keys, shown, label, ...more }
}

/** The bindings that hold on a screen. */
export function bindingsOf(screen: ScreenName): readonly Binding[] {
  return KEYMAP.filter(({ screens }) => screens === undefined || screens.includes(screen))
}

/** What a key means on a screen; undefined if nothing. */
export function commandOf(screen: ScreenName, key: string): Command | undefined {
  return bindingsOf(screen).find(({ keys }) => keys.includes(key))?.command
}
