import stringWidth from 'string-width'

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** Escape sequences whole, so that their payload does not stay behind as text. */
const ESCAPES =
  /(?:\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?)|(?:[\u001b\u009b][[\]()#;?]*[0-9;:?<=>]*[ -/]*[@-~]?)/g
/** C0 and C1 controls, soft hyphen, zero-width and bidirectional marks, variation selectors, tags. */
const INVISIBLE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\ufe00-\ufe0f]|[\u{e0000}-\u{e01ef}]/gu

/**
 * Makes text of strangers (names of peers, reasons, log lines) safe to show: no escape sequence may reach the terminal, and
 * nothing may reorder or hide what stands on the line. Line breaks and tabs become spaces.
 */
export function sanitise(text: string): string {
  return text
    .replace(/\r\n|[\t\n\r\u2028\u2029]/g, ' ')
    .replace(ESCAPES, '')
    .replace(INVISIBLE, '')
}

/** `sanitise` on every string inside a JSON value. */
export function sanitiseDeep<T>(value: T): T {
  return sanitiseValue(value) as T
}

function sanitiseValue(value: unknown): unknown {
  if (typeof value === 'string') return sanitise(value)
  if (Array.isArray(value)) return value.map(sanitiseValue)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, sanitiseValue(item)]))
}

/** Terminal cells that `text` takes. */
export function widthOf(text: string): number {
  return stringWidth(text)
}

/** Cuts or pads to exactly `width` cells. Apply before painting: styled text cannot be cut safely. */
export function fitText(
  text: string,
  width: number,
  align: 'left' | 'right' = 'left',
  ellipsis = '…',
): string {
  if (width <= 0) return ''
  const own = stringWidth(text)
  const shown = own > width ? cut(text, width, ellipsis) : text
  const padding = ' '.repeat(Math.max(0, width - (own > width ? stringWidth(shown) : own)))
  return align === 'right' ? padding + shown : shown + padding
}

function cut(text: string, width: number, ellipsis: string): string {
  let out = ''
  let used = 0
  for (const { segment } of graphemes.segment(text)) {
    const cells = stringWidth(segment)
    if (used + cells > width - 1) break
    out += segment
    used += cells
  }
  return out + ellipsis
}

/** Breaks at spaces into lines of at most `width` cells; longer words are cut. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const joined = line === '' ? word : `${line} ${word}`
    if (stringWidth(joined) <= width) line = joined
    else {
      if (line !== '') lines.push(line)
      line = stringWidth(word) > width ? cut(word, width, '…') : word
    }
  }
  return line === '' ? lines : [...lines, line]
}

/** Replaces what is not ASCII by as many `?` as it had cells, so that columns stay where they are. */
export function asciiOnly(text: string): string {
  if (/^[\u0000-\u007f]*$/.test(text)) return text
  let out = ''
  for (const { segment } of graphemes.segment(text)) {
    out += /^[\u0000-\u007f]*$/.test(segment) ? segment : '?'.repeat(stringWidth(segment))
  }
  return out
}
