import { pino } from 'pino'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** Structured logging: fields first, then the sentence. */
export interface Logger {
  debug(fields: object, message?: string): void
  info(fields: object, message?: string): void
  warn(fields: object, message?: string): void
  error(fields: object, message?: string): void
  child(fields: Record<string, unknown>): Logger
}

export interface LoggerInit {
  /** Which process this is: `device`, `cloud`, ... */
  readonly name: string
  readonly level?: LogLevel
  /** Where lines go; standard error unless told. */
  readonly write?: (line: string) => void
}

// Fields that may hold private text or a secret: a line of the log must be safe to paste into an issue.
const REDACTED = ['secret', 'invite', 'instruction', 'input', 'output', 'prompt'].flatMap(
  (field) => [field, `*.${field}`],
)

/** Newline-delimited JSON on standard error, written synchronously so that the last line before a crash is kept. */
export function createLogger(init: LoggerInit): Logger {
  const write = init.write
  return pino(
    {
      name: init.name,
      level: init.level ?? 'info',
      redact: REDACTED,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    write ? { write } : pino.destination({ fd: 2, sync: true }),
  )
}

/** Says nothing: for tests and for embedding. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
}
