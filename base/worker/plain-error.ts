import { CotuneError, type ExitCode, errorMessage } from '../errors.ts'

/** An error as plain data, which may cross to another thread. */
export interface PlainError {
  readonly message: string
  readonly stack?: string | undefined
  /** The messages of its causes, outermost first. */
  readonly causes: readonly string[]
  /** Present for a CotuneError. */
  readonly typed?: {
    readonly code: string
    readonly hint: string
    readonly data: Readonly<Record<string, unknown>>
    readonly exit: ExitCode
  }
}

export function toPlainError(error: unknown): PlainError {
  const causes: string[] = []
  let cause = error instanceof Error ? error.cause : undefined
  for (; cause !== undefined && causes.length < 8; cause = (cause as Error).cause) {
    causes.push(errorMessage(cause))
    if (!(cause instanceof Error)) break
  }
  const stack = error instanceof Error ? error.stack : undefined
  const plain = { message: errorMessage(error), stack, causes }
  if (!(error instanceof CotuneError)) return plain
  const { code, hint, exit } = error
  // Data is for reports, so what JSON cannot say is of no use there.
  const data = JSON.parse(JSON.stringify(error.data)) as Readonly<Record<string, unknown>>
  return { ...plain, typed: { code, hint, data, exit } }
}

/** The error again, with the stack of the thread it happened in. */
export function fromPlainError({ message, stack, causes, typed }: PlainError): Error {
  const cause = causes.reduceRight<Error | undefined>(
    (inner, text) => new Error(text, inner && { cause: inner }),
    undefined,
  )
  const error = typed
    ? new CotuneError(typed.code, message, { ...typed, ...(cause ? { cause } : {}) })
    : new Error(message, cause && { cause })
  if (stack !== undefined) error.stack = stack
  return error
}
