import stringWidth from 'string-width'
import { clean } from './clean.ts'

/** Plain columns, two spaces apart; those named in `right` are aligned to the right. */
export function renderTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly string[] = [],
): string {
  const lines = [head, ...rows].map((row) => row.map((cell) => clean(cell)))
  const widths = head.map((_, i) => Math.max(...lines.map((row) => stringWidth(row[i] ?? ''))))
  return lines
    .map((row) =>
      row
        .map((cell, i) => {
          const space = ' '.repeat((widths[i] ?? 0) - stringWidth(cell))
          return right.includes(head[i] ?? '') ? space + cell : cell + space
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
