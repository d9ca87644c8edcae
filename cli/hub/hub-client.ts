import { type Clock, type CotuneError, isCotuneError, packageVersion, systemClock } from '#base'
import { broken, type HubSubject, refused, unexpected, unreachable } from './hub-errors.ts'

export interface HubClientInit extends HubSubject {
  /** Sent to the endpoint only, never to where it redirects. */
  readonly token?: string
  readonly signal: AbortSignal
  /** Told before each wait. */
  readonly onRetry?: (error: CotuneError, waitMs: number) => void
  readonly clock?: Clock
  /** Longest silence on a connection. */
  readonly idleMs?: number
}

export interface HubRequest<T> {
  readonly url: string
  /** Asked anew for each try. */
  readonly headers?: () => Promise<Readonly<Record<string, string>>>
  readonly use: (reply: HubReply) => Promise<T>
  /** As long as this grows, trying again is worth it. */
  readonly progress?: () => number
  /** Statuses of errors that `use` wants to see. */
  readonly accept?: readonly number[]
}

export interface NamedFile {
  /** The digest of a file in LFS. */
  readonly linkedEtag?: string
  /** Of a file that the endpoint sends itself. */
  readonly etag?: string
  readonly commit?: string
}

export interface HubReply {
  readonly status: number
  readonly headers: Headers
  /** What the hub itself says of the file, before it redirects to where the bytes are. */
  readonly named: NamedFile
  /** @throws CotuneError MODEL_DOWNLOAD_BROKEN */
  readonly chunks: () => AsyncIterable<Uint8Array>
}

const MAX_REDIRECTS = 8
const MAX_JSON_BYTES = 64 * 1_048_576
const MAX_WAIT_MS = 10 * 60_000
/** Tries in a row without progress, and before the hub has answered at all. */
const MAX_TRIES = 8
const MAX_FIRST_TRIES = 3
const RETRIED = ['MODEL_HUB_UNREACHABLE', 'MODEL_DOWNLOAD_BROKEN', 'MODEL_HUB_BUSY']

/**
 * Requests to a hub for one model: redirects, token, silence, and trying again are seen to here, for the API calls of
 * @huggingface/hub as for the files.
 */
export class HubClient {
  readonly subject: HubSubject
  readonly #init: HubClientInit
  readonly #origin: string
  #reached = false

  constructor(init: HubClientInit) {
    this.#init = init
    this.subject = init
    this.#origin = new URL(init.endpoint).origin
  }

  /** For @huggingface/hub. Its own handling of tokens takes only those of huggingface.co, so it is given none. */
  readonly fetch: typeof fetch = (input, options) => {
    const headers = Object.fromEntries(new Headers(options?.headers))
    return this.request({
      url: String(input),
      headers: async () => headers,
      use: async (reply) =>
        new Response(await this.#readAll(reply), { status: reply.status, headers: plain(reply) }),
    })
  }

  /** @throws CotuneError MODEL_HUB_*, MODEL_DOWNLOAD_BROKEN, and what `use` throws */
  async request<T>(request: HubRequest<T>): Promise<T> {
    const { signal, onRetry, clock = systemClock } = this.#init
    const progress = request.progress ?? (() => 0)
    let best = progress()
    for (let tries = 1; ; tries++) {
      try {
        return await this.#once(request)
      } catch (error) {
        signal.throwIfAborted()
        if (!isCotuneError(error, ...RETRIED)) throw error
        if (progress() > best) tries = 1
        best = Math.max(best, progress())
        const waitMs = Number(error.data.waitMs ?? backoffMs(tries))
        const limit = this.#reached ? MAX_TRIES : MAX_FIRST_TRIES
        if (tries >= limit || waitMs > MAX_WAIT_MS) throw error
        onRetry?.(error, waitMs)
        await clock.sleep(waitMs, signal)
      }
    }
  }

  async #once<T>({ url, headers, use, accept = [] }: HubRequest<T>): Promise<T> {
    const silence = new Silence(this.#init.idleMs ?? 30_000)
    const signal = AbortSignal.any([this.#init.signal, silence.signal])
    try {
      const { response, named } = await this.#follow(url, (await headers?.()) ?? {}, signal)
      silence.heard()
      if (!response.ok && !accept.includes(response.status)) {
        await response.body?.cancel()
        throw refused(this.subject, response)
      }
      const { subject } = this
      return await use({
        status: response.status,
        headers: response.headers,
        named,
        chunks: async function* () {
          try {
            for await (const chunk of response.body ?? []) {
              silence.heard()
              yield chunk
            }
          } catch (cause) {
            throw broken(subject, silence.signal.aborted ? silence.signal.reason : cause)
          }
        },
      })
    } finally {
      silence.end()
    }
  }

  async #follow(
    from: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<{ readonly response: Response; readonly named: NamedFile }> {
    let url = new URL(from)
    let named: NamedFile = {}
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const response = await this.#send(url, headers, signal)
      this.#reached = true
      // The ETag of a store elsewhere is no digest that we know.
      if (url.origin === this.#origin) named = { ...named, ...namedIn(response.headers) }
      const location = response.headers.get('location')
      if (response.status < 300 || response.status >= 400 || location === null)
        return { response, named }
      await response.body?.cancel()
      const next = new URL(location, url)
      if (
        !/^https?:$/.test(next.protocol) ||
        (url.protocol === 'https:' && next.protocol === 'http:')
      )
        throw unexpected(this.subject, `with a redirect to ${next.protocol}//`)
      url = next
    }
    throw unexpected(this.subject, 'with redirects that do not end')
  }

  async #send(
    url: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Response> {
    const { token } = this.#init
    const authorised = token !== undefined && url.origin === this.#origin
    try {
      return await fetch(url, {
        redirect: 'manual',
        signal,
        headers: {
          // A range of compressed bytes would be of no use.
          'accept-encoding': 'identity',
          'user-agent': `cotune/${packageVersion()}`,
          ...headers,
          ...(authorised ? { authorization: `Bearer ${token}` } : {}),
        },
      })
    } catch (cause) {
      throw unreachable(this.subject, cause)
    }
  }

  async #readAll(reply: HubReply): Promise<Uint8Array<ArrayBuffer>> {
    const chunks: Uint8Array[] = []
    let sizeBytes = 0
    for await (const chunk of reply.chunks()) {
      sizeBytes += chunk.length
      if (sizeBytes > MAX_JSON_BYTES)
        throw unexpected(this.subject, 'with more than it is asked for')
      chunks.push(chunk)
    }
    return Buffer.concat(chunks)
  }
}

/** Aborts when nothing was heard for so long. */
class Silence {
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout

  constructor(idleMs: number) {
    const reason = new Error(`no byte in ${idleMs / 1_000} s`)
    this.#timer = setTimeout(() => this.#controller.abort(reason), idleMs)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  heard(): void {
    this.#timer.refresh()
  }

  end(): void {
    clearTimeout(this.#timer)
  }
}

function namedIn(headers: Headers): NamedFile {
  const linkedEtag = headers.get('x-linked-etag')
  const etag = headers.get('etag')
  const commit = headers.get('x-repo-commit')
  return {
    ...(linkedEtag === null ? {} : { linkedEtag }),
    ...(etag === null ? {} : { etag }),
    ...(commit === null ? {} : { commit }),
  }
}

/** 1, 2, 4 ... 30 seconds, each up to a quarter longer, so that many who wait do not come back at once. */
function backoffMs(tries: number): number {
  return Math.min(30_000, 1_000 * 2 ** (tries - 1)) * (1 + Math.random() / 4)
}

/** The body is whole and decoded by now. */
function plain({ headers }: HubReply): Headers {
  const kept = new Headers(headers)
  for (const name of ['content-encoding', 'content-length', 'transfer-encoding']) kept.delete(name)
  return kept
}
