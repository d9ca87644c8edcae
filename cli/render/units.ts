const KIB = 1_024

/** `1.4 MiB`. */
export function formatBytes(sizeBytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = sizeBytes
  let unit = 0
  while (value >= KIB && unit < units.length - 1) {
    value /= KIB
    unit++
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

/** `1.4 M` parameters. */
export function formatCount(count: number): string {
  if (count >= 1e9) return `${(count / 1e9).toFixed(1)} G`
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)} M`
  return count >= 1e4 ? `${Math.round(count / 1e3)} k` : String(count)
}

/** `45 s`, `12 min`, `3 h`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000))
  if (seconds < 120) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 120) return `${minutes} min`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} d`
}

/** Per cent with one digit. */
export function formatScore(score: number): string {
  return score.toFixed(1)
}
