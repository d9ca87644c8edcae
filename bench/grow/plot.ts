/** A curve: points in the units of the axes, both logarithmic. */
export interface Series {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface Panel {
  readonly title: string
  readonly yLabel: string
  readonly series: readonly Series[]
}

const WIDTH = 920
const HEIGHT = 430
const BOX = { top: 56, width: 350, height: 280 }
const LEFTS = [70, 530]
const LEGEND = { left: 62, top: 412, step: 162 }
const MARGIN = 1.15

const STYLE = `
  .ground { fill: #ffffff }
  .word { fill: #1f2328 }
  .faint { fill: #57606a; font-size: 12px }
  .head { fill: #1f2328; font-weight: 600; font-size: 15px }
  .frame { fill: none; stroke: #8c959f }
  .grid { stroke: #d8dee4 }
  .alike { stroke: #57606a; stroke-width: 1.5; stroke-dasharray: 5 4 }
  .c0 { color: #0969da } .c1 { color: #bc4c00 } .c2 { color: #1a7f37 } .c3 { color: #8250df } .c4 { color: #bf3989 }
  polyline { stroke: currentColor; fill: none; stroke-width: 2 }
  .mark { fill: currentColor }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117 }
    .word, .head { fill: #f0f6fc }
    .faint { fill: #b1bac4 }
    .frame { stroke: #656c76 }
    .grid { stroke: #262c36 }
    .alike { stroke: #9198a1 }
    .c0 { color: #4493f8 } .c1 { color: #db6d28 } .c2 { color: #3fb950 } .c3 { color: #ab7df8 } .c4 { color: #db61a2 }
  }`

/** Two panels side by side over the same arithmetic, as an SVG that is readable on light and dark ground. */
export function drawPlot(title: string, xLabel: string, panels: readonly Panel[]): string {
  const legend = (panels[0]?.series ?? []).map(({ name }, index) => {
    const x = LEGEND.left + index * LEGEND.step
    return `<g class="c${index}">${mark(index, x, LEGEND.top - 4)}</g><text class="word" x="${x + 12}" y="${LEGEND.top}">${name}</text>`
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="ui-sans-serif, system-ui, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="13" role="img" aria-labelledby="title">`,
    `<title id="title">${title}</title>`,
    `<style>${STYLE}\n</style>`,
    `<rect class="ground" width="${WIDTH}" height="${HEIGHT}"/>`,
    ...panels.map((panel, index) => drawPanel(panel, xLabel, LEFTS[index]!)),
    ...legend,
    '</svg>\n',
  ].join('\n')
}

function drawPanel({ title, yLabel, series }: Panel, xLabel: string, left: number): string {
  const all = series.flatMap(({ points }) => points)
  const xs = all.map(([x]) => x)
  const ys = all.map(([, y]) => y)
  const x = logScale(xs, left, left + BOX.width)
  const y = logScale(ys, BOX.top + BOX.height, BOX.top)
  const bottom = BOX.top + BOX.height
  const right = left + BOX.width
  const middle = left + BOX.width / 2
  const at = ([px, py]: readonly [number, number]) => [x.place(px), y.place(py)] as const
  return [
    `<text class="head" x="${left}" y="${BOX.top - 28}">${title}</text>`,
    `<text class="faint" x="${left}" y="${BOX.top - 9}">${yLabel}</text>`,
    ...x.ticks.flatMap((tick) => [
      line('grid', x.place(tick), BOX.top, x.place(tick), bottom),
      `<text class="faint" text-anchor="middle" x="${x.place(tick)}" y="${bottom + 17}">${tick}</text>`,
    ]),
    ...y.ticks.flatMap((tick) => [
      line('grid', left, y.place(tick), right, y.place(tick)),
      `<text class="faint" text-anchor="end" x="${left - 7}" y="${y.place(tick) + 4}">${tick}</text>`,
    ]),
    `<rect class="frame" x="${left}" y="${BOX.top}" width="${BOX.width}" height="${BOX.height}"/>`,
    `<text class="faint" text-anchor="middle" x="${middle}" y="${bottom + 36}">${xLabel}</text>`,
    inProportion(x, y, left),
    ...series.map(({ points }, index) => {
      const places = points.map(at)
      const marks = places.map(([px, py]) => mark(index, px, py)).join('')
      return `<g class="c${index}"><polyline points="${places.map((p) => p.join()).join(' ')}"/>${marks}</g>`
    }),
  ].join('\n')
}

/** A dashed line along which y grows as x does, from the lower left corner as far as it stays inside. */
function inProportion(x: Scale, y: Scale, left: number): string {
  const times = Math.min(x.high / x.low, y.high / y.low)
  const [x2, y2] = [x.place(x.low * times), y.place(y.low * times)]
  return line('alike', left, BOX.top + BOX.height, x2, y2)
}

interface Scale {
  readonly low: number
  readonly high: number
  readonly ticks: readonly number[]
  place(value: number): number
}

function logScale(values: readonly number[], from: number, to: number): Scale {
  const low = Math.min(...values) / MARGIN
  const high = Math.max(...values) * MARGIN
  const place = (value: number) =>
    Number((from + ((to - from) * Math.log(value / low)) / Math.log(high / low)).toFixed(1))
  return { low, high, ticks: ticksWithin(low, high), place }
}

/** 1, 2 and 5 times the powers of ten, with 3 and 7 in between where that would be few. */
function ticksWithin(low: number, high: number): readonly number[] {
  const digits = high / low < 20 ? [1, 2, 3, 5, 7] : [1, 2, 5]
  const ticks: number[] = []
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
    for (const digit of digits) ticks.push(Number((digit * 10 ** power).toPrecision(1)))
  return ticks.filter((tick) => tick >= low && tick <= high)
}

/** Shapes differ too, for those who tell colours apart badly. */
function mark(index: number, x: number, y: number): string {
  const shapes = [
    `<circle class="mark" cx="${x}" cy="${y}" r="4"/>`,
    `<rect class="mark" x="${x - 4}" y="${y - 4}" width="8" height="8"/>`,
    `<path class="mark" d="M${x} ${y - 5}l5 9h-10z"/>`,
    `<path class="mark" d="M${x} ${y - 5.5}l5.5 5.5l-5.5 5.5l-5.5 -5.5z"/>`,
    `<path class="mark" d="M${x} ${y + 5}l5 -9h-10z"/>`,
  ]
  return shapes[index % shapes.length]!
}

function line(kind: string, x1: number, y1: number, x2: number, y2: number): string {
  return `<line class="${kind}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`
}
