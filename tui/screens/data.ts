import type { DatasetInfo, LedgerEntry, ModelInfo } from '#protocols/api'
import { bytes, clockTime, count, dateTime } from '../drawing/format.ts'
import { drawPane, inside, type Pane, type Size } from '../drawing/pane.ts'
import { type Cell, type Column, fitColumns, tableHead, tableRow } from '../drawing/table.ts'
import { cursorOf, shownLedger } from '../state/lists.ts'
import { type DrawScreen, type ScreenContext, WIDE_COLUMNS, windowAround } from './context.ts'

/** Local data and models, and the ledger of all that left this node. Never a row's contents. */
export const drawData: DrawScreen = (context, size) => {
  const { datasets, models } = context.status
  const most = Math.floor(size.height / 3)
  const height = (rows: number) => Math.min(most, Math.max(4, rows + 3))
  const wide = size.width >= WIDE_COLUMNS
  const ledger = (rest: number) => ledgerPane(context, { width: size.width, height: rest })
  if (wide) {
    const top = height(Math.max(datasets.length, models.length))
    const width = Math.floor(size.width / 2)
    return [
      [
        datasetsPane(context, { width, height: top }),
        modelsPane(context, { width: size.width - width, height: top }),
      ],
      [ledger(size.height - top)],
    ]
  }
  const data = height(datasets.length)
  const model = height(models.length)
  return [
    [datasetsPane(context, { width: size.width, height: data })],
    [modelsPane(context, { width: size.width, height: model })],
    [ledger(size.height - data - model)],
  ]
}

const DATASET_COLUMNS: readonly Column[] = [
  { title: 'NAME', width: 14 },
  { title: 'TRAIN', width: 7, align: 'right' },
  { title: 'EVAL', width: 7, align: 'right' },
  { title: 'IMPORTED', width: 16 },
  { title: 'SOURCE', width: 12, grows: true },
]

function datasetsPane({ status, theme }: ScreenContext, size: Size): Pane {
  const { width } = inside(size)
  const { datasets, role } = status
  if (datasets.length === 0) {
    const rows = role === 'cloud' ? 'public rows' : 'rows'
    const lines = [`No ${rows} yet.`, 'cotune data import <file.jsonl> --name <name>']
    return drawPane('datasets', 'Data', lines, size, theme)
  }
  const columns = fitColumns(DATASET_COLUMNS, width)
  const row = ({ name, train, evaluation, importedAt, source }: DatasetInfo) =>
    tableRow(
      columns,
      [name, count(train), count(evaluation), dateTime(importedAt), source].map(plain),
      theme,
    )
  const total = datasets.reduce((sum, { train }) => sum + train, 0)
  const title = `Data ${datasets.length}  ${count(total)} rows to train`
  return drawPane('datasets', title, [tableHead(columns, theme), ...datasets.map(row)], size, theme)
}

const MODEL_COLUMNS: readonly Column[] = [
  { title: 'ROLE', width: 4 },
  { title: 'NAME', width: 16 },
  { title: 'FAMILY', width: 7 },
  { title: 'PARAMETERS', width: 10, align: 'right' },
  { title: 'VOCABULARY', width: 10, align: 'right' },
  { title: 'DIGEST', width: 12, grows: true },
]

function modelsPane({ status, theme }: ScreenContext, size: Size): Pane {
  const { width } = inside(size)
  const { models, dpmVersion } = status
  if (models.length === 0) {
    return drawPane('models', 'Models', ['No model is loaded.', 'cotune init'], size, theme)
  }
  const columns = fitColumns(MODEL_COLUMNS, width)
  const row = ({ role, name, family, parameters, vocabulary, digest }: ModelInfo) =>
    tableRow(
      columns,
      [role, name, family, count(parameters), count(vocabulary), digest].map(plain),
      theme,
    )
  const title = `Models ${models.length}  DPM version ${dpmVersion}`
  return drawPane('models', title, [tableHead(columns, theme), ...models.map(row)], size, theme)
}

const LEDGER_COLUMNS: readonly Column[] = [
  { title: 'TIME', width: 8 },
  { title: 'KIND', width: 13 },
  { title: 'ROUND', width: 5, align: 'right' },
  { title: 'BYTES', width: 8, align: 'right' },
  { title: 'SEALED', width: 6 },
  { title: 'TO', width: 16 },
  { title: 'SHA-256', width: 12, grows: true },
]

function ledgerPane({ status, model, ui, theme }: ScreenContext, size: Size): Pane {
  const room = inside(size)
  const entries = shownLedger(model, ui)
  const all = status.ledger
  const sum = all.reduce((total, entry) => total + entry.bytes, 0)
  const filter = ui.filters.data ?? ''
  const counted = filter === '' ? `${all.length}` : `${entries.length}/${all.length}  / ${filter}`
  const title = `What left this node ${counted}  ${bytes(sum)}`
  const promise = theme.paint(
    'muted',
    theme.fitText('Only what is listed here. Examples, text and the SLM never leave.', room.width),
  )
  if (entries.length === 0) {
    const empty = all.length === 0 ? 'Nothing has left this node.' : 'Nothing matches the filter.'
    return drawPane('ledger', title, [promise, empty], size, theme)
  }
  const columns = fitColumns(LEDGER_COLUMNS, room.width)
  const cursor = cursorOf(ui, entries.length)
  const rows = entries.map((entry, index) =>
    tableRow(columns, ledgerCells(entry), theme, index === cursor),
  )
  const lines = [promise, tableHead(columns, theme), ...windowAround(rows, cursor, room.height - 2)]
  return drawPane('ledger', title, lines, size, theme)
}

function ledgerCells(entry: LedgerEntry): readonly Cell[] {
  return [
    { text: clockTime(entry.at), role: 'muted' },
    { text: entry.kind },
    { text: entry.round === null ? '-' : String(entry.round) },
    { text: bytes(entry.bytes) },
    // A join request and an announcement carry no weights; they ride in the encrypted connection only.
    entry.sealed ? { text: 'yes', role: 'ok' } : { text: 'no', role: 'muted' },
    { text: entry.to },
    { text: entry.sha256, role: 'muted' },
  ]
}

function plain(text: string): Cell {
  return { text }
}
