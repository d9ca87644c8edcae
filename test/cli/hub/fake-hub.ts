import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A repository as the fake hub has it, and how it misbehaves. */
export interface FakeRepository {
  readonly commit: string
  readonly files: ReadonlyMap<string, Uint8Array>
  /** Branches and tags that stand for the commit; `main` does anyhow. */
  readonly labels?: readonly string[]
  /** Without this token: 401, as for a repository that is not there. */
  readonly token?: string
  /** 403 until the licence is accepted. */
  readonly gated?: boolean
  /** Digests that the hub names instead of the true ones. */
  readonly digests?: Readonly<Record<string, string>>
  /** Entries of the listing that no file is behind. */
  readonly listed?: readonly object[]
}

export interface SeenRequest {
  readonly server: 'hub' | 'files'
  readonly path: string
  readonly range: string | undefined
  readonly authorization: string | undefined
}

/** Answers instead of the usual: return true when the request is done with. */
export type Interference = (seen: SeenRequest, reply: ServerResponse) => boolean

/** Files from this size on are large: in LFS, behind a redirect. */
const LARGE_BYTES = 4_096

/**
 * A server that behaves as huggingface.co does to those who download: the API, `resolve` with its headers and redirects
 * to another origin, ranges. Small files come through a redirect on the same origin.
 */
export class FakeHub {
  readonly repositories = new Map<string, FakeRepository>()
  readonly seen: SeenRequest[] = []
  endpoint = ''
  interfere: Interference | undefined
  ignoresRanges = false
  bytesPerSecond = Number.POSITIVE_INFINITY
  readonly #hub = createServer((request, reply) => this.#serve('hub', request, reply))
  readonly #files = createServer((request, reply) => this.#serve('files', request, reply))

  async start(port = 0): Promise<void> {
    await Promise.all([listen(this.#hub, port), listen(this.#files, 0)])
    this.endpoint = originOf(this.#hub)
  }

  async stop(): Promise<void> {
    for (const server of [this.#hub, this.#files]) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }

  /** What was asked of the origin that holds the large files. */
  get ranges(): readonly (string | undefined)[] {
    return this.seen.filter(({ server }) => server === 'files').map(({ range }) => range)
  }

  #serve(server: SeenRequest['server'], request: IncomingMessage, reply: ServerResponse): void {
    const { pathname } = new URL(request.url ?? '/', 'http://hub')
    const { range, authorization } = request.headers
    const seen = { server, path: decodeURIComponent(pathname), range, authorization }
    this.seen.push(seen)
    if (this.interfere?.(seen, reply) === true) return
    if (server === 'files') this.#serveLarge(seen, reply)
    else if (seen.path.startsWith('/api/resolve-cache/')) this.#serveSmall(seen, reply)
    else if (seen.path.startsWith('/api/models/')) this.#serveApi(seen, reply)
    else this.#resolve(seen, reply)
  }

  #serveApi({ path, authorization }: SeenRequest, reply: ServerResponse): void {
    const match = /^\/api\/models\/(.+?)\/(revision|tree)\/(.+)$/.exec(path)
    const [, name = '', what, revision = ''] = match ?? []
    const repository = this.#open(name, revision, authorization, reply)
    if (repository === undefined) return
    const { commit, gated = false, files, digests = {}, listed = [] } = repository
    if (what === 'revision') {
      json(reply, {
        _id: '1',
        id: name,
        sha: commit,
        gated,
        private: false,
        downloads: 1,
        likes: 1,
        lastModified: '2026-01-01T00:00:00.000Z',
      })
      return
    }
    const entries = [...files].map(([file, content]) => {
      const size = content.length
      if (size < LARGE_BYTES)
        return { type: 'file', path: file, size, oid: digests[file] ?? gitBlob(content) }
      const lfs = { oid: digests[file] ?? sha256(content), size, pointerSize: 134 }
      return {
        type: 'file',
        path: file,
        size,
        oid: gitBlob(Buffer.from('pointer')),
        lfs,
        xetHash: sha256(Buffer.from(file)),
      }
    })
    json(reply, [
      { type: 'directory', path: 'onnx', size: 0, oid: 'a'.repeat(40) },
      ...listed,
      ...entries,
    ])
  }

  #resolve({ path, authorization }: SeenRequest, reply: ServerResponse): void {
    const [, name = '', revision = '', file = ''] =
      /^\/(.+?)\/resolve\/([^/]+)\/(.+)$/.exec(path) ?? []
    const repository = this.#open(name, revision, authorization, reply)
    if (repository === undefined) return
    const content = repository.files.get(file)
    if (content === undefined) fail(reply, 404, 'EntryNotFound')
    else if (repository.gated === true) fail(reply, 403, 'GatedRepo')
    else this.#redirect(repository.commit, `${encodeURIComponent(name)}/${file}`, content, reply)
  }

  #redirect(commit: string, at: string, content: Uint8Array, reply: ServerResponse): void {
    reply.setHeader('x-repo-commit', commit)
    if (content.length < LARGE_BYTES)
      reply.writeHead(307, {
        location: `/api/resolve-cache/${at}`,
        etag: `"${gitBlob(content)}"`,
      })
    else
      reply.writeHead(302, {
        location: `${originOf(this.#files)}/${at}?signature=1`,
        'x-linked-etag': `"${sha256(content)}"`,
        'x-linked-size': String(content.length),
      })
    reply.end('Found')
  }

  /** Sends 401 and 404 as the hub does; a repository that may not be seen is not there. */
  #open(
    name: string,
    revision: string,
    authorization: string | undefined,
    reply: ServerResponse,
  ): FakeRepository | undefined {
    const repository = this.repositories.get(name)
    const allowed =
      repository?.token === undefined || authorization === `Bearer ${repository.token}`
    if (repository === undefined || !allowed) {
      fail(reply, authorization === undefined ? 401 : 404, 'RepoNotFound')
      return undefined
    }
    const revisions = ['main', repository.commit, ...(repository.labels ?? [])]
    if (revisions.includes(revision)) return repository
    fail(reply, 404, 'RevisionNotFound')
    return undefined
  }

  #serveSmall({ path, range }: SeenRequest, reply: ServerResponse): void {
    const [name = '', file = ''] = splitAt(path.slice('/api/resolve-cache/'.length))
    const content = this.repositories.get(name)?.files.get(file)
    if (content === undefined) fail(reply, 404, 'EntryNotFound')
    else this.#send(content, range, reply, { etag: `"${gitBlob(content)}"` })
  }

  #serveLarge({ path, range }: SeenRequest, reply: ServerResponse): void {
    const [name = '', file = ''] = splitAt(path.slice(1))
    const content = this.repositories.get(name)?.files.get(file)
    if (content === undefined) fail(reply, 404, 'EntryNotFound')
    else this.#send(content, range, reply, { etag: '"an-etag-of-the-store"' })
  }

  #send(
    content: Uint8Array,
    range: string | undefined,
    reply: ServerResponse,
    headers: object,
  ): void {
    const begin = this.ignoresRanges ? undefined : /^bytes=(\d+)-$/.exec(range ?? '')?.[1]
    if (begin !== undefined && Number(begin) >= content.length) {
      reply.writeHead(416, { 'content-range': `bytes */${content.length}` }).end()
      return
    }
    const body = content.subarray(Number(begin ?? 0))
    const place = { 'content-range': `bytes ${begin}-${content.length - 1}/${content.length}` }
    reply.writeHead(begin === undefined ? 200 : 206, {
      'content-length': body.length,
      'accept-ranges': 'bytes',
      ...headers,
      ...(begin === undefined ? {} : place),
    })
    this.#trickle(body, reply)
  }

  #trickle(body: Uint8Array, reply: ServerResponse): void {
    if (this.bytesPerSecond === Number.POSITIVE_INFINITY) {
      reply.end(body)
      return
    }
    const step = Math.max(1, Math.floor(this.bytesPerSecond / 20))
    let at = 0
    const timer = setInterval(() => {
      reply.write(body.subarray(at, at + step))
      at += step
      if (at < body.length) return
      clearInterval(timer)
      reply.end()
    }, 50)
    reply.on('close', () => clearInterval(timer))
  }
}

async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
}

function originOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function json(reply: ServerResponse, value: unknown): void {
  reply
    .writeHead(200, { 'content-type': 'application/json; charset=utf-8' })
    .end(JSON.stringify(value))
}

function fail(reply: ServerResponse, status: number, code: string): void {
  reply.writeHead(status, { 'x-error-code': code, 'content-type': 'application/json' })
  reply.end(JSON.stringify({ error: code }))
}

function splitAt(path: string): readonly string[] {
  const cut = path.lastIndexOf('/')
  return [path.slice(0, cut), path.slice(cut + 1)]
}

export function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

export function gitBlob(content: Uint8Array): string {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex')
}
