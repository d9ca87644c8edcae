import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { CotuneError, type EventLog, EXIT, type Startable, toHex } from '#base'
import { streamEvents } from './event-stream.ts'
import { toFailure } from './failure.ts'
import { listenOnSocket } from './listen.ts'
import { readJsonBody } from './read-json-body.ts'
import { acceptsParts, sendPart } from './reply-parts.ts'
import { claimSocketPath, releaseSocketPath } from './socket-path.ts'
import type { Health, PeerEvent, Piece, Role, Route, Routes } from './types.ts'

type RequestSchemas = typeof import('./request-schemas.ts')

/** What a handler may use besides the request. */
interface CallContext<R extends Route> {
  /** Tells the caller what is made of the reply so far, if it wants to know; never waits. */
  readonly emit: (piece: Piece<R>) => void
  /** Aborts when the caller goes away or the server stops. */
  readonly signal: AbortSignal
}

export type ApiHandlers = {
  readonly [R in Route]: (
    request: Routes[R]['request'],
    context: CallContext<R>,
  ) => Promise<Routes[R]['reply']>
}

export interface ApiServerInit {
  readonly socketPath: string
  readonly role: Role
  /** A route without a handler is of the other role: API_WRONG_ROLE. */
  readonly handlers: Partial<ApiHandlers>
  readonly events: EventLog<PeerEvent>
  readonly health: () => Health
  /** Told of every failure that a reader was answered with. */
  readonly onFailure?: (route: string, error: unknown) => void
  readonly heartbeatMs?: number
  /** How long `stop` waits for handlers that were told to abort. */
  readonly stopTimeoutMs?: number
}

/** The local API on a unix socket; see types.ts for its routes. */
export function createApiServer(init: ApiServerInit): Startable {
  return new ApiServer(init)
}

class ApiServer implements Startable {
  readonly #init: ApiServerInit
  readonly #instance = toHex(randomBytes(4))
  readonly #streams = new Set<() => void>()
  readonly #inFlight = new Set<Promise<void>>()
  #abort = new AbortController()
  #server: Server | undefined
  #schemas: RequestSchemas | undefined

  constructor(init: ApiServerInit) {
    this.#init = init
  }

  async start(): Promise<void> {
    if (this.#server !== undefined) return
    // Loaded here and not above: a command that only asks for the status needs no schemas.
    this.#schemas = await import('./request-schemas.ts')
    this.#abort = new AbortController()
    const server = createServer((request, response) => this.#accept(request, response))
    await listenOnSocket(server, await claimSocketPath(this.#init.socketPath))
    this.#server = server
  }

  async stop(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve())
    })
    for (const end of this.#streams) end()
    this.#abort.abort(stopping())
    const timer = setTimeout(() => server.closeAllConnections(), this.#init.stopTimeoutMs ?? 2_000)
    await Promise.race([Promise.allSettled(this.#inFlight), closed])
    server.closeIdleConnections()
    await closed
    clearTimeout(timer)
    await releaseSocketPath(this.#init.socketPath)
  }

  #accept(request: IncomingMessage, response: ServerResponse): void {
    const name = routeOf(request)
    const work = this.#dispatch(name, request, response).catch((error: unknown) => {
      // What was stopped because its caller left has not failed.
      const isStopped = response.destroyed && error instanceof Error && error.name === 'AbortError'
      if (!isStopped) this.#init.onFailure?.(name, error)
      const { status, failure } = toFailure(error)
      // Once pieces were sent it is too late for a status.
      if (response.headersSent) sendPart(response, { error: failure })
      else sendJson(response, status, { error: failure })
    })
    this.#inFlight.add(work)
    void work.finally(() => this.#inFlight.delete(work))
  }

  async #dispatch(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (name === 'GET /healthz' || name === 'GET /readyz') {
      const health = this.#init.health()
      const well = name === 'GET /healthz' ? health.live : health.ready
      sendJson(response, well ? 200 : 503, health)
    } else if (name === 'GET /v1/events') {
      this.#stream(request, response)
    } else if (this.#schemas !== undefined && Object.hasOwn(this.#schemas.requestSchemas, name)) {
      await this.#handle(name as Route, request, response)
    } else {
      throw new CotuneError('API_NO_ROUTE', `there is no ${name}`, {
        hint: 'is the command newer than the running peer? restart the peer',
        data: { name },
        exit: EXIT.usage,
      })
    }
  }

  #stream(request: IncomingMessage, response: ServerResponse): void {
    const header = request.headers['last-event-id']
    const end = streamEvents(response, {
      events: this.#init.events,
      instance: this.#instance,
      lastEventId: typeof header === 'string' ? header : undefined,
      heartbeatMs: this.#init.heartbeatMs ?? 10_000,
    })
    this.#streams.add(end)
    response.once('close', () => this.#streams.delete(end))
  }

  async #handle<R extends Route>(
    route: R,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const handler = this.#init.handlers[route]
    if (handler === undefined) throw wrongRole(route, this.#init.role)
    const body = this.#parse(route, await readJsonBody(request))
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    const signal = AbortSignal.any([gone.signal, this.#abort.signal])
    const inParts = acceptsParts(request)
    const emit = (piece: Piece<R>) => {
      if (inParts) sendPart<R>(response, { piece })
    }
    const reply = await handler(body, { emit, signal })
    if (inParts) sendPart<R>(response, { reply })
    else sendJson(response, 200, reply)
  }

  #parse<R extends Route>(route: R, body: unknown): Routes[R]['request'] {
    const schemas = this.#schemas
    if (schemas === undefined) throw stopping()
    const parsed = schemas.requestSchemas[route].safeParse(body)
    if (parsed.success) return parsed.data
    throw new CotuneError('API_BAD_REQUEST', `${route}: ${schemas.complaint(parsed.error)}`, {
      hint: 'correct the field that is named; docs/api.md lists what each route takes',
      data: { route },
      exit: EXIT.usage,
    })
  }
}

/** `METHOD /path`, without a query. Text that is no path, such as `//`, is a route that does not exist. */
function routeOf({ method, url = '/' }: IncomingMessage): string {
  return `${method} ${url.split('?', 1)[0]}`
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  if (response.headersSent || response.destroyed) return
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
  response.end(JSON.stringify(body))
}

function wrongRole(route: Route, role: Role): CotuneError {
  const other = role === 'device' ? 'cloud peer' : 'device'
  return new CotuneError(
    'API_WRONG_ROLE',
    `${route} is answered by a ${other}, not by a ${role} peer`,
    {
      hint: `give --home of the ${other}`,
      data: { route, role },
      exit: EXIT.usage,
    },
  )
}

function stopping(): CotuneError {
  return new CotuneError('API_STOPPING', 'the peer is stopping', {
    hint: 'start it again, then repeat the command',
    exit: EXIT.unhealthy,
  })
}
