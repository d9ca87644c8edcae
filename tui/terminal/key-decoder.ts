import type { Key } from '../state/reduce-ui.ts'

/** An escape that nothing follows for this long was the Esc key; over a slow line an arrow key may arrive in two reads. */
export const ESCAPE_WAIT_MS = 25

const PASTE_START = '\u001b[200~'
const PASTE_END = '\u001b[201~'

/** CSI and SS3 sequences without their `ESC [` or `ESC O`, modifiers stripped; xterm, rxvt and the Linux console. */
const SEQUENCES: Readonly<Record<string, string>> = {
  A: 'up',
  B: 'down',
  C: 'right',
  D: 'left',
  H: 'home',
  F: 'end',
  P: 'f1',
  Z: 'shift-tab',
  '1~': 'home',
  '3~': 'delete',
  '4~': 'end',
  '5~': 'pageup',
  '6~': 'pagedown',
  '7~': 'home',
  '8~': 'end',
  '11~': 'f1',
}

const CONTROLS: Readonly<Record<string, string>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\u007f': 'backspace',
  '\b': 'backspace',
}

/**
 * Turns what a terminal sends into keys, one by one: a read may hold several (`"/jet\rjj"` over a slow line, key repeat,
 * a paste) or end in the middle of one.
 */
export class KeyDecoder {
  #pending = ''

  /** The keys that are complete; the rest waits for the next chunk or for `flush`. */
  push(chunk: string): readonly Key[] {
    const keys: Key[] = []
    let rest = this.#pending + chunk
    this.#pending = ''
    while (rest !== '') {
      const taken = takeKey(rest)
      if (taken === undefined) {
        this.#pending = rest
        break
      }
      if (taken.key !== undefined) keys.push(taken.key)
      rest = rest.slice(taken.length)
    }
    return keys
  }

  /** Whether an escape waits to be told from the start of a sequence. */
  get waits(): boolean {
    return this.#pending !== ''
  }

  /** Nothing more came: what waits is the Esc key and what was typed after it. */
  flush(): readonly Key[] {
    const rest = this.#pending
    this.#pending = ''
    if (rest === '' || rest.startsWith(PASTE_START)) return []
    return rest === '\u001b' ? [{ name: 'escape', text: '' }] : []
  }
}

interface Taken {
  readonly length: number
  /** Left out for sequences that mean nothing here. */
  readonly key?: Key
}

/** The first key of `input`; undefined if it is not complete yet. */
function takeKey(input: string): Taken | undefined {
  if (!input.startsWith('\u001b')) return takeCharacter(input)
  if (input.length === 1) return undefined
  if (input.startsWith(PASTE_START)) return takePaste(input)
  const sequence = /^\u001b(?:\[|O)([0-9;:<=>?]*)([ -/]*[@-~])/.exec(input)
  if (sequence !== null) {
    const [whole, parameters = '', final = ''] = sequence
    const name = SEQUENCES[final === '~' ? `${parameters.split(';')[0]}~` : final]
    return name === undefined
      ? { length: whole.length }
      : { length: whole.length, key: { name, text: '' } }
  }
  if (/^\u001b(?:\[|O)[0-9;:<=>?]*$/.test(input)) return undefined
  // Esc and another key in one read, or Alt with a key: both are Esc first.
  return { length: 1, key: { name: 'escape', text: '' } }
}

function takePaste(input: string): Taken | undefined {
  const end = input.indexOf(PASTE_END)
  if (end < 0) return undefined
  const text = input.slice(PASTE_START.length, end)
  return { length: end + PASTE_END.length, key: { name: 'paste', text } }
}

function takeCharacter(input: string): Taken {
  const text = String.fromCodePoint(input.codePointAt(0) ?? 0)
  const { length } = text
  const control = CONTROLS[text]
  if (control !== undefined) return { length, key: { name: control, text: '' } }
  const code = text.charCodeAt(0)
  if (code < 32) {
    return { length, key: { name: `ctrl-${String.fromCharCode(code + 96)}`, text: '' } }
  }
  return { length, key: { name: text, text } }
}
