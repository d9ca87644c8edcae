/** From the first of them to before the last. */
export type Range = readonly [start: number, end: number]

/** Ranges of `size` each; the last has what is left. */
export function cut(count: number, size: number): readonly Range[] {
  const ranges: Range[] = []
  for (let start = 0; start < count; start += size)
    ranges.push([start, Math.min(count, start + size)])
  return ranges
}
