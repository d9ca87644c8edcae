import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { type Clock, CotuneError, EXIT, type Numbered, systemClock } from '#base'
import { fromFailure } from './failure.ts'
import { resolveSocketPath } from './socket-path.ts'
import { parseServerSentEvents } from './sse-parser.ts'
import type { ApiFailure, Health, PeerEvent, Piece, ReplyPart, Route, Routes } from './types.ts'

/** Three missed heartbeats. */
const SILENCE_MS = 30_000
const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 10_000

/** The request, which routes without one may leave out, and what aborts the call. */
export type CallArguments<R extends Route> = undefined extends Routes[R]['request']
  ? [request?: undefined, signal?: AbortSignal]
  : [request: Routes[R]['request'], signal?: AbortSignal]

export interface ApiClient {
  /**
   * Asks a peer; long jobs answer when they have ended.
   * @throws CotuneError API_UNREACHABLE, or whatever the peer reported
   */
  call<R extends Route>(route: R, ...rest: CallArguments<R>): Promise<Routes[R]['reply']>
  /**
   * The same; `onPiece` is told of the reply while it is made.
   * @throws CotuneError API_UNREACHABLE, also when the peer goes away in the middle, or whatever the peer reported
   */
  stream<R extends Route>(
    route: R,
    request: Routes[R]['request'],
    onPiece: (piece: Piece<R>) => void,
    signal?: AbortSignal,
  ): Promise<Routes[R]['reply']>
  /** The answer of `/readyz`. */
  health(signal?: AbortSignal): Promise<Health>
  /**
   * Events after the sequence number `after`, for ever: it reconnects by itself and resumes where it was. A gap in the
   * numbers, or a number that goes back (the peer restarted), tells the reader to take a new snapshot. Ends when `signal` aborts.
   */
  events(after: number, signal?: AbortSignal): AsyncIterable<Numbered<PeerEvent>>
}

export interface ApiClientInit {
  readonly clock?: Clock
  /** Told when the event stream opens (undefined) and when it is lost (why). */
  readonly onConnection?: (lost: CotuneError | undefined) => void
}

/** A typed client of the local API of the peer that listens on `socketPath`. */
export function createApiClient(socketPath: string, init: ApiClientInit = {}): ApiClient {
  return {
    call: async (route, ...[request, signal]) => {
      const reply = await ask(socketPath, route, request, {}, signal)
      return (await readReply(reply, socketPath)) as never
    },
    stream: async (route, request, onPiece, signal) => {
      const headers = { accept: 'text/event-stream' }
      const reply = await ask(socketPath, route, request, headers, signal)
      if (reply.statusCode !== 200) return (await readReply(reply, socketPath)) as never
      for await (const part of readParts<typeof route>(reply, socketPath, signal)) {
        if ('error' in part) throw fromFailure(part.error)
        if ('reply' in part) return part.reply
        onPiece(part.piece)
      }
      throw unreachable(socketPath, undefined)
    },
    health: async (signal) => {
      const reply = await send(socketPath, { path: '/readyz' }, undefined, signal)
      return JSON.parse(await readText(reply, socketPath)) as Health
    },
    events: (after, signal) => followEvents(socketPath, init, after, signal),
  }
}

async function* followEvents(
  socketPath: string,
  init: ApiClientInit,
  after: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Numbered<PeerEvent>> {
  const clock = init.clock ?? systemClock
  let lastEventId = String(after)
  let retryMs = FIRST_RETRY_MS
  while (!isAborted(signal)) {
    let lost = unreachable(socketPath, undefined)
    try {
      const headers = { 'last-event-id': lastEventId }
      const stream = await send(socketPath, { path: '/v1/events', headers }, undefined, signal)
      stream.setTimeout(SILENCE_MS, () => stream.destroy())
      init.onConnection?.(undefined)
      retryMs = FIRST_RETRY_MS
      for await (const event of parseServerSentEvents(stream)) {
        yield JSON.parse(event.data) as Numbered<PeerEvent>
        lastEventId = event.id
      }
    } catch (error) {
      lost = error instanceof CotuneError ? error : unreachable(socketPath, error)
    }
    if (isAborted(signal)) return
    init.onConnection?.(lost)
    await clock.sleep(retryMs * (0.75 + Math.random() / 2), signal).catch(() => undefined)
    retryMs = Math.min(2 * retryMs, LAST_RETRY_MS)
  }
}

/** A call, so that the compiler does not take an earlier answer for the present one. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true
}

function ask(
  socketPath: string,
  route: Route,
  request: unknown,
  headers: RequestOptions['headers'],
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  const [method = 'GET', path = '/'] = route.split(' ')
  const body = request === undefined ? undefined : JSON.stringify(request)
  return send(socketPath, { method, path, headers }, body, signal)
}

async function send(
  socketPath: string,
  options: RequestOptions,
  body: string | undefined,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  signal?.throwIfAborted()
  const path = await resolveSocketPath(socketPath)
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const request = httpRequest(
    {
      ...options,
      socketPath: path,
      agent: false,
      ...(signal === undefined ? {} : { signal }),
      headers: {
        ...options.headers,
        ...(body === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      },
    },
    resolve,
  )
  request.once('error', (error) => {
    reject(signal?.aborted === true ? signal.reason : unreachable(path, error))
  })
  request.end(body)
  return promise
}

async function readReply(reply: IncomingMessage, socketPath: string): Promise<unknown> {
  const body = JSON.parse(await readText(reply, socketPath)) as unknown
  if (reply.statusCode === 200) return body
  throw fromFailure((body as { error: ApiFailure }).error)
}

async function* readParts<R extends Route>(
  reply: IncomingMessage,
  socketPath: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<ReplyPart<R>> {
  try {
    for await (const { data } of parseServerSentEvents(reply)) yield JSON.parse(data)
  } catch (error) {
    throw isAborted(signal) ? signal?.reason : unreachable(socketPath, error)
  }
}

async function readText(reply: IncomingMessage, socketPath: string): Promise<string> {
  try {
    const parts: Buffer[] = []
    for await (const part of reply) parts.push(part as Buffer)
    return Buffer.concat(parts).toString('utf8')
  } catch (error) {
    throw unreachable(socketPath, error)
  }
}

function unreachable(socketPath: string, cause: unknown): CotuneError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code
  if (code === 'EACCES') {
    return new CotuneError('API_FORBIDDEN', `this user may not open ${socketPath}`, {
      hint: "run the command as the peer's user, or join its group",
      data: { socketPath },
      exit: EXIT.refused,
      cause,
    })
  }
  const gone = code === 'ENOENT' || code === 'ECONNREFUSED'
  return new CotuneError(
    'API_UNREACHABLE',
    gone ? `no peer answers on ${socketPath}` : `the peer on ${socketPath} closed the connection`,
    {
      hint: 'start it with `cotune daemon` (a device) or `cotune cloud`; --home names another one',
      data: { socketPath, cause: code ?? null },
      exit: EXIT.unreachable,
      cause,
    },
  )
}
