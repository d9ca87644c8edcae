import { CotuneError, EXIT } from '#base'

/** What a request is about, for messages. */
export interface HubSubject {
  /** `https://huggingface.co` or a mirror, without a slash at the end. */
  readonly endpoint: string
  readonly name: string
  readonly revision: string | undefined
}

/** Nobody answers. Worth another try. */
export function unreachable({ endpoint }: HubSubject, cause: unknown): CotuneError {
  return new CotuneError('MODEL_HUB_UNREACHABLE', `cannot reach ${endpoint} (${reasonOf(cause)})`, {
    hint: 'check the network; HF_ENDPOINT or --endpoint names a mirror; cotune model import takes a folder that came another way',
    cause,
    data: { endpoint },
    exit: EXIT.unreachable,
  })
}

/** The connection ended in the middle of a body. Worth another try. */
export function broken({ endpoint }: HubSubject, cause: unknown): CotuneError {
  return new CotuneError(
    'MODEL_DOWNLOAD_BROKEN',
    `the connection to ${endpoint} broke off again and again (${reasonOf(cause)})`,
    {
      hint: 'what has come is kept: run the same command again later',
      cause,
      data: { endpoint },
      exit: EXIT.unreachable,
    },
  )
}

/** The answer is not what the hub would say. */
export function unexpected({ endpoint }: HubSubject, what: string, cause?: unknown): CotuneError {
  return new CotuneError('MODEL_HUB_UNEXPECTED', `${endpoint} answers ${what}`, {
    hint: 'is it the address of a hub, or does a proxy answer in its place? see HF_ENDPOINT and --endpoint',
    cause,
    data: { endpoint },
    exit: EXIT.failure,
  })
}

/** What a status of 400 and above means. Only MODEL_HUB_BUSY is worth another try, after `data.waitMs` if it is given. */
export function refused(subject: HubSubject, response: Response): CotuneError {
  const { status, headers } = response
  if (status === 401 || status === 403) return denied(subject, status, headers)
  if (status === 404) return notFound(subject, headers)
  if (status !== 408 && status !== 429 && status < 500) return unexpected(subject, `with ${status}`)
  const waitMs = waitOf(headers)
  const when = waitMs === undefined ? 'later' : `in ${Math.ceil(waitMs / 1_000)} s`
  const what = status === 429 ? 'asks for fewer requests' : 'is out of order'
  return new CotuneError('MODEL_HUB_BUSY', `${subject.endpoint} ${what} (${status})`, {
    hint: `run the same command again ${when}${status === 429 ? '; with HF_TOKEN set the limits are wider' : ''}`,
    data: { status, ...(waitMs === undefined ? {} : { waitMs }) },
    exit: EXIT.unreachable,
  })
}

function denied({ endpoint, name }: HubSubject, status: number, headers: Headers): CotuneError {
  const gated = headers.get('x-error-code') === 'GatedRepo' || status === 403
  const logIn = `make a token at ${endpoint}/settings/tokens and give it in HF_TOKEN or --token-file`
  return new CotuneError(
    'MODEL_HUB_DENIED',
    gated
      ? `${name} is given only to those who accepted its terms (${status})`
      : `there is no repository ${name}, or it is private (${status})`,
    {
      hint: gated
        ? `accept the licence at ${endpoint}/${name}; then ${logIn}`
        : `check the name; if it is right, log in: ${logIn}`,
      data: { name, status },
      exit: EXIT.refused,
    },
  )
}

function notFound({ endpoint, name, revision }: HubSubject, headers: Headers): CotuneError {
  const code = headers.get('x-error-code')
  const isRevision = code === 'RevisionNotFound' || (code === null && revision !== undefined)
  return new CotuneError(
    'MODEL_HUB_NOT_FOUND',
    isRevision ? `${name} has no revision ${revision ?? 'main'}` : `there is no repository ${name}`,
    {
      hint: isRevision
        ? `${endpoint}/${name}/commits/main lists the commits; a branch or a tag will do, too`
        : `check the name: ORG/NAME as in ${endpoint}/ORG/NAME`,
      data: {
        name,
        ...(revision === undefined ? {} : { revision }),
        ...(code === null ? {} : { errorCode: code }),
      },
      exit: EXIT.data,
    },
  )
}

/** `Retry-After` (seconds or a date), or the time left in the hub's `RateLimit: "api";r=0;t=55`. */
function waitOf(headers: Headers): number | undefined {
  const after = headers.get('retry-after')
  if (after !== null && /^\d+$/.test(after.trim())) return Number(after) * 1_000
  const date = Date.parse(after ?? '')
  if (!Number.isNaN(date)) return Math.max(0, date - Date.now())
  const left = /;\s*t=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1]
  return left === undefined ? undefined : Number(left) * 1_000
}

/** Of `TypeError: fetch failed` only the cause says something. */
function reasonOf(cause: unknown): string {
  const {
    code,
    message,
    cause: inner,
  } = (cause ?? {}) as {
    readonly code?: unknown
    readonly message?: unknown
    readonly cause?: unknown
  }
  if (inner !== undefined) return reasonOf(inner)
  return String(code ?? message ?? cause)
}
