/** `412 B`, `41.2 kB`, `3.5 MB`: decimal units, three significant digits. */
export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = count
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_000
    unit += 1
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`
}

/** `940`, `9.41 k`, `1.20 M`. */
export function count(value: number): string {
  if (value < 1_000) return String(Math.round(value))
  return value < 999_500 ? `${(value / 1e3).toPrecision(3)} k` : `${(value / 1e6).toPrecision(3)} M`
}

/** `0:48`, `12:05`, `3:02:10`; negative spans are shown as `0:00`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000))
  const two = (value: number) => String(value).padStart(2, '0')
  const minutes = Math.floor(seconds / 60)
  const tail = two(seconds % 60)
  return minutes < 60
    ? `${minutes}:${tail}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${tail}`
}

/** `12s`, `4m`, `3h`, `2d`. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000))
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`
}

/** UTC time of day, `HH:MM:SS`. */
export function clockTime(at: number): string {
  return new Date(at).toISOString().slice(11, 19)
}

/** UTC date and minute, `2026-11-21 02:10`. */
export function dateTime(at: number): string {
  return new Date(at).toISOString().slice(0, 16).replace('T', ' ')
}

/** A loss in at most six characters; `NaN` and infinities are named. */
export function loss(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : 'inf'
  const size = Math.abs(value)
  if (size >= 1e5 || (size > 0 && size < 1e-3)) return value.toExponential(0)
  return value.toFixed(size >= 1_000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3)
}

/** `value` with `digits` decimals; `-` for what is no number. JSON has neither NaN nor infinity and sends null. */
export function fixed(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : '-'
}

/** A share 0..1 as per cent with one digit. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}
