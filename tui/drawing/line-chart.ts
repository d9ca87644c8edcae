import { Canvas } from './canvas.ts'
import { loss } from './format.ts'
import type { Size } from './pane.ts'
import { SERIES_ROLES, type Theme } from './theme.ts'

export interface ChartSeries {
  readonly label: string
  /** Oldest first; values that are not finite leave a gap. */
  readonly values: readonly number[]
}

export interface ChartOptions {
  readonly logScale?: boolean
  /** Weight of the past in the exponential moving average, 0 (none) to below 1. */
  readonly smoothing?: number
  /** Indices of `values` where a round began; ticks on the axis. */
  readonly ticks?: readonly number[]
}

const LABEL_WIDTH = 6
const ASCII_LINES = '*+xo'

/**
 * Lines over time in braille: for each column of dots the least and the greatest value as a dim band, and over it the
 * exponential moving average. Every series ends in its number, so that it can be told without colour.
 * Returns `size.height` lines, or none if there is nothing to draw or no room.
 */
export function lineChart(
  series: readonly ChartSeries[],
  size: Size,
  theme: Theme,
  options: ChartOptions = {},
): readonly string[] {
  const { logScale = false, smoothing = 0, ticks = [] } = options
  const scale = logScale ? logarithm : (value: number) => value
  const drawn = series.slice(0, SERIES_ROLES.length).map((one) => one.values.map(scale))
  const range = rangeOf(drawn)
  if (range === undefined || size.width < LABEL_WIDTH + 8 || size.height < 3) return []

  const canvas = new Canvas({
    width: size.width - LABEL_WIDTH - 2,
    height: size.height - 1,
    braille: !theme.ascii,
  })
  const y = (value: number) =>
    Math.round((canvas.dotsY - 1) * (1 - (value - range.low) / (range.high - range.low)))
  const length = Math.max(...drawn.map((values) => values.length))
  const raw = drawn.map((values) => intoColumns(values, length, canvas.dotsX))
  const smooth = drawn.map((values) =>
    intoColumns(average(values, smoothing), length, canvas.dotsX),
  )
  if (smoothing > 0)
    for (const [index, columns] of raw.entries()) drawBand(canvas, columns, y, 2 * index)
  for (const [index, columns] of smooth.entries()) drawLine(canvas, columns, y, 2 * index + 1)

  const ends = endMarks(smooth, y, canvas, theme)
  const unscale = logScale ? (value: number) => 10 ** value : (value: number) => value
  const rows = Array.from({ length: canvas.height }, (_, row) => {
    const label = yLabel(row, canvas.height, range, unscale)
    return (
      theme.paint('muted', `${label}${theme.glyphs.border.vertical}`) +
      canvasRow(canvas, row, theme) +
      (ends.get(row) ?? ' ')
    )
  })
  return [...rows, axis(canvas.width, length, ticks, theme)]
}

/** A column of dots: what of the series falls on it; `last` is NaN where there is a gap. */
interface DotColumn {
  readonly x: number
  readonly least: number
  readonly greatest: number
  readonly last: number
}

function intoColumns(
  values: readonly number[],
  length: number,
  dots: number,
): readonly DotColumn[] {
  if (length <= dots) {
    const step = (dots - 1) / Math.max(1, length - 1)
    return values.map((value, index) => ({
      x: Math.round(index * step),
      least: value,
      greatest: value,
      last: value,
    }))
  }
  return Array.from({ length: dots }, (_, x) => {
    const from = Math.floor((x * length) / dots)
    const bucket = values.slice(from, Math.floor(((x + 1) * length) / dots)).filter(Number.isFinite)
    return {
      x,
      least: Math.min(...bucket),
      greatest: Math.max(...bucket),
      last: bucket.at(-1) ?? Number.NaN,
    }
  })
}

function drawBand(
  canvas: Canvas,
  columns: readonly DotColumn[],
  y: (value: number) => number,
  owner: number,
): void {
  for (const column of columns) {
    if (!Number.isFinite(column.last)) continue
    for (let dot = y(column.greatest); dot <= y(column.least); dot += 1) {
      canvas.dot(column.x, dot, owner)
    }
  }
}

function drawLine(
  canvas: Canvas,
  columns: readonly DotColumn[],
  y: (value: number) => number,
  owner: number,
): void {
  let before: DotColumn | undefined
  for (const column of columns) {
    if (!Number.isFinite(column.last)) {
      before = undefined
      continue
    }
    const from = before ?? column
    canvas.line(from.x, y(from.last), column.x, y(column.last), owner)
    before = column
  }
}

/** The number of each series in the row where it ends, or the nearest that is free. */
function endMarks(
  smooth: readonly (readonly DotColumn[])[],
  y: (value: number) => number,
  canvas: Canvas,
  theme: Theme,
): ReadonlyMap<number, string> {
  const marks = new Map<number, string>()
  if (smooth.length < 2) return marks
  for (const [index, columns] of smooth.entries()) {
    const last = columns.findLast((column) => Number.isFinite(column.last))
    if (last === undefined) continue
    const row = Math.floor((y(last.last) * canvas.height) / canvas.dotsY)
    const free = [row, row + 1, row - 1, row + 2, row - 2].find(
      (near) => near >= 0 && near < canvas.height && !marks.has(near),
    )
    if (free === undefined) continue
    marks.set(free, theme.paint(SERIES_ROLES[index] ?? 'series1', String(index + 1)))
  }
  return marks
}

function canvasRow(canvas: Canvas, row: number, theme: Theme): string {
  let line = ''
  let run = ''
  let runOwner = -1
  const flush = () => {
    const role = SERIES_ROLES[runOwner >> 1] ?? 'series1'
    line += runOwner < 0 ? run : theme.paint(runOwner % 2 === 0 ? 'muted' : role, run)
    run = ''
  }
  for (let column = 0; column < canvas.width; column += 1) {
    const owner = canvas.owner(column, row)
    if (owner !== runOwner) flush()
    runOwner = owner
    run += owner < 0 ? ' ' : theme.ascii ? asciiMark(owner) : canvas.character(column, row)
  }
  flush()
  return line
}

function asciiMark(owner: number): string {
  return owner % 2 === 0 ? '.' : (ASCII_LINES[owner >> 1] ?? '*')
}

function yLabel(
  row: number,
  rows: number,
  range: Range,
  unscale: (value: number) => number,
): string {
  const labelled =
    row === 0 || row === rows - 1 || (rows >= 7 && row === Math.floor((rows - 1) / 2))
  if (!labelled) return ' '.repeat(LABEL_WIDTH)
  const share = row / Math.max(1, rows - 1)
  return loss(unscale(range.high - (range.high - range.low) * share)).padStart(LABEL_WIDTH)
}

function axis(width: number, length: number, ticks: readonly number[], theme: Theme): string {
  const { border } = theme.glyphs
  const cells = Array.from({ length: width }, () => border.horizontal)
  for (const tick of ticks) {
    const cell = Math.round((tick * (width - 1)) / Math.max(1, length - 1))
    if (tick > 0 && cell < width) cells[cell] = border.tick
  }
  const right = String(length)
  const line = cells.slice(0, Math.max(0, width - right.length)).join('') + right
  return theme.paint('muted', `${' '.repeat(LABEL_WIDTH)}${border.corner}${line} `)
}

interface Range {
  readonly low: number
  readonly high: number
}

function rangeOf(series: readonly (readonly number[])[]): Range | undefined {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const value of series.flat()) {
    if (!Number.isFinite(value)) continue
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  if (high < low) return undefined
  const margin = high === low ? Math.max(Math.abs(high) * 0.1, 1e-6) : 0
  return { low: low - margin, high: high + margin }
}

function logarithm(value: number): number {
  return value > 0 ? Math.log10(value) : Number.NaN
}

/** Exponential moving average that skips gaps and leaves them gaps; the first values are not pulled towards zero. */
export function average(values: readonly number[], smoothing: number): readonly number[] {
  if (smoothing === 0) return values
  let sum = 0
  let weight = 0
  return values.map((value) => {
    if (!Number.isFinite(value)) return Number.NaN
    sum = sum * smoothing + value * (1 - smoothing)
    weight = weight * smoothing + (1 - smoothing)
    return sum / weight
  })
}
