import { count, loss } from '../drawing/format.ts'
import { type ChartSeries, lineChart } from '../drawing/line-chart.ts'
import { drawPane, inside, type Pane, type Size } from '../drawing/pane.ts'
import { widthOf } from '../drawing/text.ts'
import { SERIES_ROLES } from '../drawing/theme.ts'
import type { Model, Series } from '../state/model.ts'
import { SMOOTHINGS } from '../state/ui.ts'
import type { ScreenContext } from './context.ts'

/** Curves that are drawn over each other. */
export interface Chart {
  readonly title: string
  readonly series: readonly Series[]
}

const CURVES_A_CHART = SERIES_ROLES.length

/** One chart a phase of this node's training, then the losses that devices report, four a chart. */
export function chartsOf(model: Model): readonly Chart[] {
  const phases = new Set([...model.series.keys()].map((key) => key.split(' ')[0] ?? ''))
  const own = [...phases].map((phase) => ({
    title: phase,
    series: [...model.series]
      .filter(([key]) => key.startsWith(`${phase} `))
      .map(([key, series]) => ({ ...series, label: key.slice(phase.length + 1) })),
  }))
  const peers = [...model.peerSeries.values()].toSorted((a, b) => (a.label < b.label ? -1 : 1))
  const pages = Math.ceil(peers.length / CURVES_A_CHART)
  const reported = Array.from({ length: pages }, (_, page) => ({
    title: pages > 1 ? `devices ${page + 1}/${pages}` : 'devices',
    series: peers.slice(page * CURVES_A_CHART, (page + 1) * CURVES_A_CHART),
  }))
  return [...own, ...reported]
}

/** The chart that tells most at a glance: on a cloud peer its devices, else what trained last. */
export function mainChart(context: ScreenContext): Chart | undefined {
  const charts = chartsOf(context.model)
  const newest = charts.toSorted((a, b) => newestValue(b) - newestValue(a))[0]
  const devices = charts.find(({ title }) => title.startsWith('devices'))
  const own = charts.filter((chart) => !chart.title.startsWith('devices'))
  if (context.status.role === 'cloud') return devices ?? newest
  return own.toSorted((a, b) => newestValue(b) - newestValue(a))[0] ?? newest
}

function newestValue(chart: Chart): number {
  return Math.max(...chart.series.map(({ at }) => at))
}

/** Draws a chart in a pane; its title names the curves and their last values. */
export function chartPane(
  name: string,
  chart: Chart | undefined,
  context: ScreenContext,
  size: Size,
): Pane {
  const { theme, ui } = context
  if (chart === undefined) {
    const lines = ['No steps yet.', theme.paint('muted', 'The first round starts after quorum.')]
    return drawPane(name, 'Loss', lines, size, theme)
  }
  const curves: readonly ChartSeries[] = chart.series
  const lines = lineChart(curves, inside(size), theme, {
    logScale: ui.logScale,
    smoothing: SMOOTHINGS[ui.smoothing] ?? 0,
    ticks: roundStarts(chart.series[0]),
  })
  const shown = lines.length > 0 ? lines : ['No finite value yet.']
  return drawPane(name, titleOf(chart, context, size.width - 6), shown, size, theme)
}

/** The longest title that fits: with the curves' last values, without, or the phase alone. */
function titleOf(chart: Chart, { theme, model, ui }: ScreenContext, room: number): string {
  const curves = (values: boolean) =>
    chart.series.map((series, index) => {
      const mark = chart.series.length > 1 ? `${index + 1} ` : ''
      const value = values ? ` ${loss(series.values.at(-1) ?? Number.NaN)}` : ''
      return theme.paint(SERIES_ROLES[index] ?? 'series1', `${mark}${series.label}${value}`)
    })
  const progress = model.progress?.event
  const speed =
    progress?.phase === chart.title ? [`${count(progress.tokensPerSecond)} tokens/s`] : []
  const head = [`Loss ${chart.title}`, ...(ui.logScale ? ['log'] : [])]
  const titles = [
    [...head, ...curves(true), ...speed],
    [...head, ...curves(true)],
    [...head, ...curves(false)],
    curves(false),
    head,
  ].map((parts) => parts.join('  '))
  return titles.find((title) => widthOf(title) <= room) ?? head.join('  ')
}

function roundStarts(series: Series | undefined): readonly number[] {
  const rounds = series?.rounds ?? []
  return rounds.flatMap((round, index) => (index > 0 && round !== rounds[index - 1] ? [index] : []))
}
