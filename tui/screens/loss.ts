import { drawPane, type Pane, type Size } from '../drawing/pane.ts'
import { type DrawScreen, type PaneRow, WIDE_COLUMNS } from './context.ts'
import { chartPane, chartsOf } from './loss-chart.ts'

const LEAST_CHART_HEIGHT = 7

/** Every curve that this node knows, in a grid. */
export const drawLoss: DrawScreen = (context, size) => {
  const charts = chartsOf(context.model)
  if (charts.length === 0) {
    const lines = [
      'No steps yet. The first round starts after quorum.',
      ...(context.status.role === 'cloud'
        ? ['To invite a device:  cotune invite', 'To start rounds:     cotune round start']
        : [
            'To join a mesh:      cotune join <invite>',
            'To give it data:     cotune data import <file>',
          ]),
    ]
    return [[drawPane('loss', 'Loss', lines, size, context.theme)]]
  }
  const columns = columnsFor(charts.length, size)
  const rows = Math.min(
    Math.ceil(charts.length / columns),
    Math.max(1, Math.floor(size.height / LEAST_CHART_HEIGHT)),
  )
  return Array.from({ length: rows }, (_, row): PaneRow => {
    const shown = charts.slice(row * columns, (row + 1) * columns)
    const height = share(size.height, rows, row)
    return shown.map((chart, index): Pane => {
      const width = share(size.width, shown.length, index)
      return chartPane(chart.title, chart, context, { width, height })
    })
  })
}

function columnsFor(charts: number, size: Size): number {
  const stacked = Math.floor(size.height / LEAST_CHART_HEIGHT)
  if (size.width >= WIDE_COLUMNS) return Math.min(2, charts)
  return charts > stacked && size.width >= 80 ? 2 : 1
}

/** Part `index` of `total` cells in `parts` parts that differ by one cell at most. */
function share(total: number, parts: number, index: number): number {
  return Math.floor((total * (index + 1)) / parts) - Math.floor((total * index) / parts)
}
