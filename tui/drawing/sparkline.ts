import type { Theme } from './theme.ts'

/** The last `width` finite values as one line of bars, scaled to their own least and greatest. */
export function sparkline(values: readonly number[], width: number, theme: Theme): string {
  const shown = values.filter(Number.isFinite).slice(-width)
  const least = Math.min(...shown)
  const span = Math.max(...shown) - least
  const bars = theme.glyphs.spark
  return shown
    .map((value) => bars[span === 0 ? 0 : Math.round(((value - least) / span) * (bars.length - 1))])
    .join('')
    .padStart(width)
}

/** A bar of `width` cells, filled by `share` (0..1). */
export function progressBar(share: number, width: number, theme: Theme): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * width)
  return theme.glyphs.full.repeat(filled) + theme.glyphs.empty.repeat(width - filled)
}
