/** Exit codes of the command line, one meaning each; docs/errors.md lists them. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  unreachable: 3,
  unhealthy: 4,
  config: 5,
  refused: 6,
  data: 7,
  privacy: 8,
  timeout: 9,
  partial: 10,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export interface CotuneErrorInit {
  /** The next step, in words a person can follow. */
  readonly hint: string
  readonly cause?: unknown
  /** What the code is about: file, row, tensor name, peer. Never private text. */
  readonly data?: Readonly<Record<string, unknown>>
  /** What the command line exits with; `EXIT.failure` unless told. */
  readonly exit?: ExitCode
}

/**
 * Every error that Cotune throws on purpose: a stable code, a sentence, the next step.
 * The codes are listed in docs/errors.md; a test keeps the list and the source in step.
 */
export class CotuneError extends Error {
  override readonly name = 'CotuneError'
  readonly code: string
  readonly hint: string
  readonly data: Readonly<Record<string, unknown>>
  readonly exit: ExitCode

  constructor(code: string, message: string, init: CotuneErrorInit) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause })
    this.code = code
    this.hint = init.hint
    this.data = init.data ?? {}
    this.exit = init.exit ?? EXIT.failure
  }

  toJSON(): {
    code: string
    message: string
    hint: string
    data: Readonly<Record<string, unknown>>
  } {
    return { code: this.code, message: this.message, hint: this.hint, data: this.data }
  }
}

/** Whether `error` is a CotuneError, of one of `codes` if any are given. */
export function isCotuneError(error: unknown, ...codes: readonly string[]): error is CotuneError {
  return error instanceof CotuneError && (codes.length === 0 || codes.includes(error.code))
}

/** The message of anything that was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
