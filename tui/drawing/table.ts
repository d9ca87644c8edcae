import type { Role, Theme } from './theme.ts'

export interface Column {
  readonly title: string
  readonly width: number
  readonly align?: 'left' | 'right'
  /** Takes what is left of the line; at most one column. */
  readonly grows?: boolean
}

export interface Cell {
  readonly text: string
  readonly role?: Role | undefined
}

const GAP = 1

/** The columns that fit into `width`, dropped right to left, and the growing one grown. */
export function fitColumns<C extends Column>(columns: readonly C[], width: number): readonly C[] {
  const fitting: C[] = []
  let used = 0
  for (const column of columns) {
    const needed = column.width + (fitting.length === 0 ? 0 : GAP)
    if (used + needed > width) break
    fitting.push(column)
    used += needed
  }
  return fitting.map((column) =>
    column.grows ? { ...column, width: column.width + width - used } : column,
  )
}

/** The heading line. */
export function tableHead(columns: readonly Column[], theme: Theme): string {
  const text = columns
    .map((column) => theme.fitText(column.title, column.width, column.align))
    .join(' ')
  return theme.paint('muted', text)
}

/** One row; a selected row is reversed as a whole. */
export function tableRow(
  columns: readonly Column[],
  cells: readonly Cell[],
  theme: Theme,
  selected = false,
): string {
  const fitted = columns.map((column, index) => {
    const cell = cells[index] ?? { text: '' }
    const text = theme.fitText(cell.text, column.width, column.align)
    return selected || cell.role === undefined ? text : theme.paint(cell.role, text)
  })
  const line = fitted.join(' ')
  return selected ? theme.paint('select', line) : line
}
