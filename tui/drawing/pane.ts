import { asciiOnly, widthOf } from './text.ts'
import { type Theme, unstyled } from './theme.ts'

/** A bordered box, as lines of exactly its width. */
export interface Pane {
  readonly name: string
  readonly lines: readonly string[]
}

export interface Size {
  readonly width: number
  readonly height: number
}

/** Columns and rows inside the border of a pane of this size. */
export function inside(size: Size): Size {
  return { width: Math.max(0, size.width - 4), height: Math.max(0, size.height - 2) }
}

/** Frames `lines`; those that are too many are dropped, those that are too few filled up. A line must fit already. */
export function drawPane(
  name: string,
  title: string,
  lines: readonly string[],
  size: Size,
  theme: Theme,
): Pane {
  const { border } = theme.glyphs
  const room = inside(size)
  const edge = theme.paint('border', border.vertical)
  const body = Array.from({ length: room.height }, (_, index) => {
    return `${edge} ${padded(lines[index] ?? '', room.width, theme)} ${edge}`
  })
  const foot = border.bottomLeft + border.horizontal.repeat(size.width - 2) + border.bottomRight
  return { name, lines: [topLine(title, size.width, theme), ...body, theme.paint('border', foot)] }
}

/** `╭─ title ───╮`; a title that is too long loses its styles and its end. */
function topLine(title: string, width: number, theme: Theme): string {
  const { border } = theme.glyphs
  const room = width - 6
  const shown =
    widthOf(title) <= room ? theme.paint('title', title) : theme.fitText(unstyled(title), room)
  const rest = border.horizontal.repeat(Math.max(0, room - widthOf(shown))) + border.horizontal
  return (
    theme.paint('border', border.topLeft + border.horizontal) +
    ` ${theme.ascii ? asciiOnly(shown) : shown} ` +
    theme.paint('border', rest + border.topRight)
  )
}

function padded(line: string, width: number, theme: Theme): string {
  const own = widthOf(line)
  if (own > width) return theme.fitText(unstyled(line), width)
  return (theme.ascii ? asciiOnly(line) : line) + ' '.repeat(width - own)
}

/** Panes of one width, one below the other. */
export function stackPanes(panes: readonly Pane[]): Pane {
  return {
    name: panes.map(({ name }) => name).join(),
    lines: panes.flatMap(({ lines }) => lines),
  }
}
