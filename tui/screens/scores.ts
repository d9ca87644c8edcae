import { fixed } from '../drawing/format.ts'
import { drawPane, inside, type Pane, type Size } from '../drawing/pane.ts'
import { type Column, fitColumns, tableHead, tableRow } from '../drawing/table.ts'
import type { ScoreRow } from '../state/model.ts'
import type { ScreenContext } from './context.ts'

const COLUMNS: readonly Column[] = [
  { title: 'MODEL', width: 5 },
  { title: 'WEIGHTS', width: 10 },
  { title: 'EM', width: 5, align: 'right' },
  { title: 'ROUGE-L', width: 7, align: 'right' },
  { title: 'ROUND', width: 5, align: 'right' },
  { title: 'PPL/BYTE', width: 8, align: 'right' },
  { title: 'ROWS', width: 5, align: 'right' },
]

/** What evaluation found so far, newest round last. */
export function scoresPane({ model, theme }: ScreenContext, size: Size): Pane {
  const columns = fitColumns(COLUMNS, inside(size).width)
  const rows = model.scores.map((row) => tableRow(columns, cells(row).map(plain), theme))
  const room = inside(size).height - 1
  const lines =
    rows.length === 0
      ? [theme.paint('muted', 'No scores yet.')]
      : [tableHead(columns, theme), ...rows.slice(-room)]
  return drawPane('scores', 'Scores', lines, size, theme)
}

function cells({ model, label, round, scores }: ScoreRow): readonly string[] {
  return [
    model,
    label,
    fixed(scores.em, 1),
    fixed(scores.rougeL, 1),
    round === null ? '-' : String(round),
    fixed(scores.perplexityPerByte, 3),
    String(scores.examples),
  ]
}

function plain(text: string): { readonly text: string } {
  return { text }
}
