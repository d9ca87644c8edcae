import { clockTime } from '../drawing/format.ts'
import type { Role, Theme } from '../drawing/theme.ts'
import type { LogLevel, LogLine } from '../state/model.ts'

const LEVEL_ROLE: Readonly<Record<LogLevel, Role | undefined>> = {
  debug: 'muted',
  info: undefined,
  warn: 'warn',
  error: 'error',
}

/** `23:16:39 WARN  train      message`, of at most `width` cells. */
export function logText(line: LogLine, width: number, theme: Theme, selected = false): string {
  const time = clockTime(line.at)
  const level = line.level.toUpperCase().padEnd(5)
  const component = theme.fitText(line.component, 10)
  const message = theme.fitText(line.message, width - 27)
  if (selected) return theme.paint('select', `${time} ${level} ${component} ${message} `)
  const role = LEVEL_ROLE[line.level]
  return [
    theme.paint('muted', time),
    role === undefined ? level : theme.paint(role, level),
    theme.paint('accent', component),
    message,
  ].join(' ')
}
