import { widthOf } from './drawing/text.ts'

/** The look of the terminal's 16 colours on a dark ground; SGR code to CSS colour. */
const COLOURS: Readonly<Record<string, string>> = {
  '31': '#ff7b72',
  '32': '#7ee787',
  '33': '#e3b341',
  '35': '#d2a8ff',
  '36': '#56d4dd',
}
const GROUND = '#0d1117'
const TEXT = '#e6edf3'
const DIM = '#7d8590'

const CELL_WIDTH = 8.4
const CELL_HEIGHT = 18
const BASELINE = 13
const MARGIN = 14

interface Style {
  readonly colour: string | undefined
  readonly bold: boolean
  readonly dim: boolean
  readonly reverse: boolean
}

const NORMAL: Style = { colour: undefined, bold: false, dim: false, reverse: false }

/** Neighbouring characters of one style; `column` is where they begin. */
interface Run {
  readonly text: string
  readonly column: number
  readonly style: Style
}

/**
 * A frame with its colour codes as an SVG picture. Lines, bars and braille dots are drawn as shapes, since fonts disagree about
 * them; the same frame gives the same bytes everywhere.
 */
export function frameToSvg(frame: string, title: string): string {
  const rows = frame.split('\n').map(runsOf)
  const columns = Math.max(...frame.split('\n').map(widthOf))
  const width = round(columns * CELL_WIDTH + 2 * MARGIN)
  const height = rows.length * CELL_HEIGHT + 2 * MARGIN
  const family = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="${family}" font-size="14" role="img" aria-label="${escaped(title)}">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" rx="8" fill="${GROUND}"/>`,
    ...rows.flatMap((runs, row) => runs.flatMap((run) => drawRun(run, row))),
    '</svg>',
    '',
  ].join('\n')
}

function runsOf(line: string): readonly Run[] {
  const runs: Run[] = []
  let style = NORMAL
  let column = 0
  for (const part of line.split(/(\u001b\[[0-9;]*m)/)) {
    const code = /^\u001b\[([0-9;]*)m$/.exec(part)?.[1]
    if (code !== undefined) style = restyled(style, code)
    else if (part !== '') {
      runs.push({ text: part, column, style })
      column += widthOf(part)
    }
  }
  return runs
}

function restyled(style: Style, code: string): Style {
  switch (code) {
    case '1':
      return { ...style, bold: true }
    case '2':
      return { ...style, dim: true }
    case '7':
      return { ...style, reverse: true }
    case '22':
      return { ...style, bold: false, dim: false }
    case '27':
      return { ...style, reverse: false }
    case '39':
      return { ...style, colour: undefined }
    default:
      return { ...style, colour: COLOURS[code] ?? style.colour }
  }
}

function drawRun({ text, column, style }: Run, row: number): readonly string[] {
  const ink = style.reverse ? GROUND : (style.colour ?? (style.dim ? DIM : TEXT))
  const left = (cell: number) => round(MARGIN + cell * CELL_WIDTH)
  const top = MARGIN + row * CELL_HEIGHT
  const ground = style.reverse
    ? [
        `<rect x="${left(column)}" y="${top}" width="${round(widthOf(text) * CELL_WIDTH)}" height="${CELL_HEIGHT}" fill="${TEXT}"/>`,
      ]
    : []
  let filled = ''
  let shaded = ''
  let stroked = ''
  const words: string[] = []
  let at = column
  for (const [part] of text.matchAll(
    /[\u2500-\u259f\u2800-\u28ff]|[^\u2500-\u259f\u2800-\u28ff]+/g,
  )) {
    if (/^[\u2800-\u28ff]$/.test(part)) filled += brailleDots(part, left(at), top)
    else if (part === '░') shaded += rectangle(left(at), top + 2, CELL_WIDTH, CELL_HEIGHT - 4)
    else if (/^[\u2580-\u259f]$/.test(part)) filled += block(part, left(at), top)
    else if (/^[\u2500-\u257f]$/.test(part)) stroked += boxLine(part, left(at), top)
    else words.push(...textOf(part, at, top, style))
    at += widthOf(part)
  }
  const weight = style.bold ? ' font-weight="bold"' : ''
  return [
    ...ground,
    ...words.map((word) => word.replace('<text', `<text fill="${ink}"${weight}`)),
    ...(filled === '' ? [] : [`<path fill="${ink}" d="${filled}"/>`]),
    ...(shaded === '' ? [] : [`<path fill="${ink}" opacity="0.25" d="${shaded}"/>`]),
    ...(stroked === '' ? [] : [`<path fill="none" stroke="${ink}" d="${stroked}"/>`]),
  ]
}

/** Words as they stand; `textLength` keeps the columns whatever font the reader has. */
function textOf(text: string, column: number, top: number, style: Style): readonly string[] {
  return [...text.matchAll(/\S+(?: \S+)*/g)].map((match) => {
    const cell = column + widthOf(text.slice(0, match.index))
    const length = round(widthOf(match[0]) * CELL_WIDTH)
    const dim = style.dim && style.colour !== undefined ? ' opacity="0.6"' : ''
    return `<text x="${round(MARGIN + cell * CELL_WIDTH)}" y="${top + BASELINE}" textLength="${length}"${dim}>${escaped(match[0])}</text>`
  })
}

/** Dots of U+2800 in the order of their bits: two columns of three, then the lowest row. */
const DOT_CELLS = [
  [0, 0],
  [0, 1],
  [0, 2],
  [1, 0],
  [1, 1],
  [1, 2],
  [0, 3],
  [1, 3],
] as const

function brailleDots(character: string, left: number, top: number): string {
  const bits = character.charCodeAt(0) - 0x2800
  return DOT_CELLS.map(([x, y], bit) => {
    if (((bits >> bit) & 1) === 0) return ''
    return square(left + x * (CELL_WIDTH / 2) + 1, top + y * (CELL_HEIGHT / 4) + 1, 2.2)
  }).join('')
}

function square(x: number, y: number, side: number): string {
  return rectangle(x, y, side, side)
}

function rectangle(x: number, y: number, width: number, height: number): string {
  return `M${round(x)} ${round(y)}h${round(width)}v${round(height)}h${round(-width)}z`
}

/** Bars of one to eight eighths. */
function block(character: string, left: number, top: number): string {
  const share = Math.min(8, character.charCodeAt(0) - 0x2580) / 8
  const height = (CELL_HEIGHT - 4) * share
  return rectangle(left, top + 2 + (CELL_HEIGHT - 4) - height, CELL_WIDTH - 0.4, height)
}

/** Which ways a box character reaches from its middle. */
const REACH: Readonly<Record<string, string>> = {
  '─': 'lr',
  '│': 'ud',
  '╭': 'rd',
  '╮': 'ld',
  '╰': 'ru',
  '╯': 'lu',
  '└': 'ru',
  '┴': 'lru',
}

function boxLine(character: string, left: number, top: number): string {
  const middleX = round(left + CELL_WIDTH / 2)
  const middleY = top + CELL_HEIGHT / 2
  const ends: Readonly<Record<string, string>> = {
    l: `H${left}`,
    r: `H${round(left + CELL_WIDTH)}`,
    u: `V${top}`,
    d: `V${top + CELL_HEIGHT}`,
  }
  const ways = [...(REACH[character] ?? '')]
  return ways.map((way) => `M${middleX} ${middleY}${ends[way] ?? ''}`).join('')
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
