import { CotuneError, EXIT, type ExitCode, isCotuneError } from '#base'
import type { ApiFailure } from './types.ts'

const STATUS_BY_EXIT: Readonly<Record<ExitCode, number>> = {
  [EXIT.ok]: 500,
  [EXIT.failure]: 500,
  [EXIT.usage]: 400,
  [EXIT.unreachable]: 502,
  [EXIT.unhealthy]: 503,
  [EXIT.config]: 500,
  [EXIT.refused]: 403,
  [EXIT.data]: 422,
  [EXIT.privacy]: 403,
  [EXIT.timeout]: 504,
  [EXIT.partial]: 500,
}

const STATUS_BY_CODE: Readonly<Record<string, number>> = {
  API_NO_ROUTE: 404,
  API_BODY_TOO_LARGE: 413,
  API_WRONG_ROLE: 409,
  API_STOPPING: 503,
}

/** What a reader is told of `error`. Of an unexpected one only that it happened: it may quote private text. */
export function toFailure(error: unknown): {
  readonly status: number
  readonly failure: ApiFailure
} {
  if (isCotuneError(error)) {
    return {
      status: STATUS_BY_CODE[error.code] ?? STATUS_BY_EXIT[error.exit],
      failure: { ...error.toJSON(), exit: error.exit },
    }
  }
  return {
    status: 500,
    failure: {
      code: 'API_INTERNAL',
      message: 'the peer failed in a way it did not expect',
      hint: 'its log names the cause; please report it',
      exit: EXIT.failure,
    },
  }
}

/** The error a peer reported, as this process would have thrown it. */
export function fromFailure(failure: ApiFailure): CotuneError {
  const exits: readonly number[] = Object.values(EXIT)
  const known = failure.exit !== undefined && exits.includes(failure.exit)
  return new CotuneError(failure.code, failure.message, {
    hint: failure.hint,
    data: failure.data ?? {},
    exit: known ? (failure.exit as ExitCode) : EXIT.failure,
  })
}
