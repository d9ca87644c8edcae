import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CotuneError, EventLog, EXIT, type Numbered, type Startable } from '#base'
import {
  type ApiServerInit,
  controlSocketPath,
  createApiClient,
  createApiServer,
  type PeerEvent,
  type Route,
} from '#protocols/api'

let home: string
let events: EventLog<PeerEvent>
const running: Startable[] = []

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cotune-api-'))
  events = new EventLog({ capacity: 100 })
})

afterEach(async () => {
  for (const server of running.splice(0)) await server.stop()
  await rm(home, { recursive: true, force: true })
})

const log = (message: string): PeerEvent => ({
  type: 'log',
  level: 'info',
  component: 'test',
  message,
})

async function serve(
  handlers: ApiServerInit['handlers'],
  more: Partial<ApiServerInit> = {},
): Promise<Startable> {
  const server = createApiServer({
    socketPath: controlSocketPath(home),
    role: 'cloud',
    handlers,
    events,
    health: () => ({
      live: true,
      ready: false,
      checks: [{ name: 'llm', ok: false, text: 'loading' }],
    }),
    ...more,
  })
  await server.start()
  running.push(server)
  return server
}

const client = () => createApiClient(controlSocketPath(home))

async function take(
  source: AsyncIterable<Numbered<PeerEvent>>,
  count: number,
): Promise<Numbered<PeerEvent>[]> {
  const out: Numbered<PeerEvent>[] = []
  for await (const entry of source) if (out.push(entry) === count) break
  return out
}

describe('calls', () => {
  it('carry a typed request there and a reply back', async () => {
    await serve({
      'POST /v1/invites': async ({ name }) => ({ invite: `cotune1:${name}`, expiresAt: 7 }),
    })
    const reply = await client().call('POST /v1/invites', { name: 'kitchen' })
    expect(reply).toEqual({ invite: 'cotune1:kitchen', expiresAt: 7 })
  })

  it('bring back the code, hint, data and exit of what the peer threw', async () => {
    await serve({
      'GET /v1/rounds': async () => {
        throw new CotuneError('ROUND_QUORUM', 'too few', {
          hint: 'wait',
          data: { have: 1 },
          exit: EXIT.timeout,
        })
      },
    })
    await expect(client().call('GET /v1/rounds', undefined)).rejects.toMatchObject({
      code: 'ROUND_QUORUM',
      message: 'too few',
      hint: 'wait',
      data: { have: 1 },
      exit: EXIT.timeout,
    })
  })

  it('say nothing of an unexpected failure, which may quote private text', async () => {
    const failures: unknown[] = []
    await serve(
      {
        'GET /v1/ledger': async () => {
          throw new TypeError('cannot read row "my secret"')
        },
      },
      { onFailure: (_, error) => failures.push(error) },
    )
    const error = await client()
      .call('GET /v1/ledger', undefined)
      .catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'API_INTERNAL' })
    expect(JSON.stringify(error)).not.toContain('secret')
    expect(failures).toHaveLength(1)
  })

  it.each([
    ['a missing field', {}],
    ['a wrong type', { rounds: '3' }],
    ['an unknown field', { rounds: 3, quorm: 2 }],
    ['a number out of range', { rounds: 0 }],
    ['no body', undefined],
  ])('refuse %s', async (_, body) => {
    await serve({ 'POST /v1/run': async () => Promise.reject(new Error('must not be reached')) })
    await expect(client().call('POST /v1/run', body as never)).rejects.toMatchObject({
      code: 'API_BAD_REQUEST',
      exit: EXIT.usage,
    })
  })

  it('refuse a relative import path, a body of megabytes and an unknown route', async () => {
    await serve({ 'POST /v1/data': async () => Promise.reject(new Error('must not be reached')) })
    const call = client().call
    await expect(call('POST /v1/data', { name: 'a', path: 'a.csv' })).rejects.toMatchObject({
      code: 'API_BAD_REQUEST',
    })
    await expect(
      call('POST /v1/data', { name: 'a', path: `/${'x'.repeat(2_000_000)}` }),
    ).rejects.toMatchObject({ code: 'API_BODY_TOO_LARGE' })
    await expect(call('GET /v1/nope' as Route, undefined)).rejects.toMatchObject({
      code: 'API_NO_ROUTE',
    })
    await expect(call('GET /constructor' as Route, undefined)).rejects.toMatchObject({
      code: 'API_NO_ROUTE',
    })
    // No URL at all, which must not end the peer.
    await expect(call('GET //' as Route, undefined)).rejects.toMatchObject({
      code: 'API_NO_ROUTE',
    })
  })

  it("refuse the other role's routes", async () => {
    await serve({})
    await expect(client().call('POST /v1/join', { invite: 'x' })).rejects.toMatchObject({
      code: 'API_WRONG_ROLE',
      exit: EXIT.usage,
    })
  })

  it('abort the handler when the caller goes away', async () => {
    const seen = Promise.withResolvers<void>()
    const gone = Promise.withResolvers<void>()
    await serve({
      'POST /v1/baseline': async (_, { signal }) => {
        seen.resolve()
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
        gone.resolve()
        return { steps: 0 }
      },
    })
    const caller = new AbortController()
    const call = client().call('POST /v1/baseline', { rounds: 1 }, caller.signal)
    await seen.promise
    caller.abort(new Error('enough'))
    await expect(call).rejects.toThrow('enough')
    await gone.promise
  })

  it('end with API_STOPPING when the peer stops', async () => {
    const seen = Promise.withResolvers<void>()
    const server = await serve({
      'POST /v1/baseline': async (_, { signal }) => {
        seen.resolve()
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
        throw signal.reason
      },
    })
    const call = client().call('POST /v1/baseline', { rounds: 1 })
    const settled = expect(call).rejects.toMatchObject({ code: 'API_STOPPING' })
    await seen.promise
    await server.stop()
    await settled
  })

  it('name the peer that is not there and how to start it', async () => {
    await expect(client().call('GET /v1/status', undefined)).rejects.toMatchObject({
      code: 'API_UNREACHABLE',
      exit: EXIT.unreachable,
      hint: expect.stringContaining('cotune daemon'),
    })
  })

  it('tell health, ready or not', async () => {
    await serve({})
    expect(await client().health()).toEqual({
      live: true,
      ready: false,
      checks: [{ name: 'llm', ok: false, text: 'loading' }],
    })
  })
})

describe('events', () => {
  it('come numbered: what is held, then what follows', async () => {
    await serve({})
    events.emit(log('a'))
    events.emit(log('b'))
    const reading = take(client().events(1), 2)
    setTimeout(() => events.emit(log('c')), 30)
    const got = await reading
    expect(got.map(({ sequence }) => sequence)).toEqual([2, 3])
    expect(got[1]?.event).toEqual(log('c'))
  })

  it('resume without loss or repetition when the connection breaks', async () => {
    const server = await serve({})
    const stop = new AbortController()
    const states: (string | undefined)[] = []
    const reader = createApiClient(controlSocketPath(home), {
      onConnection: (lost) => states.push(lost?.code),
    })
    const iterator = reader.events(0, stop.signal)[Symbol.asyncIterator]()
    events.emit(log('a'))
    expect((await iterator.next()).value).toMatchObject({ sequence: 1 })
    await server.stop()
    events.emit(log('b'))
    await server.start()
    events.emit(log('c'))
    expect((await iterator.next()).value).toMatchObject({ sequence: 2 })
    expect((await iterator.next()).value).toMatchObject({ sequence: 3 })
    stop.abort()
    expect(await iterator.next()).toMatchObject({ done: true })
    expect(states).toEqual([undefined, 'API_UNREACHABLE', undefined])
  })

  it('begin anew when another process answers with smaller numbers', async () => {
    await serve({})
    events.emit(log('new'))
    const got = await take(client().events(900), 1)
    expect(got[0]).toMatchObject({ sequence: 1 })
  })

  it('show a slow reader a gap in place of a buffer without bound', async () => {
    await serve({})
    const stop = new AbortController()
    const iterator = client().events(0, stop.signal)[Symbol.asyncIterator]()
    events.emit(log('first'))
    await iterator.next()
    const text = 'x'.repeat(50_000)
    for (let i = 0; i < 1_000; i++) {
      events.emit(log(text))
      if (i % 50 === 0) await new Promise(setImmediate)
    }
    events.emit(log('last'))
    const sequences: number[] = []
    for (;;) {
      const { value } = await iterator.next()
      sequences.push(value.sequence)
      if (value.event.type === 'log' && value.event.message === 'last') break
    }
    stop.abort()
    expect(sequences.length).toBeLessThan(1_000)
    expect(sequences).toEqual([...sequences].sort((a, b) => a - b))
    expect(sequences.at(-1)).toBe(1_002)
  })
})

describe('the socket', () => {
  it('is for owner and group only', async () => {
    await serve({})
    expect((await stat(controlSocketPath(home))).mode & 0o777).toBe(0o660)
  })

  it('belongs to one process', async () => {
    const first = await serve({ 'GET /v1/rounds': async () => [] })
    await expect(serve({})).rejects.toMatchObject({ code: 'API_ALREADY_RUNNING' })
    expect(await client().call('GET /v1/rounds', undefined)).toEqual([])
    await first.stop()
    await expect(stat(controlSocketPath(home))).rejects.toThrow('ENOENT')
  })

  it('is taken over from a process that was killed', async () => {
    const path = controlSocketPath(home)
    const { execFileSync } = await import('node:child_process')
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
    expect(() => execFileSync(process.execPath, ['-e', script])).toThrow()
    await stat(path)
    await serve({ 'GET /v1/rounds': async () => [] })
    expect(await client().call('GET /v1/rounds', undefined)).toEqual([])
  })

  it('is not taken from another program that listens, nor is a plain file removed', async () => {
    const path = controlSocketPath(home)
    const other = createServer().listen(path)
    await expect(serve({})).rejects.toMatchObject({ code: 'API_ALREADY_RUNNING' })
    await new Promise((resolve) => other.close(resolve))
    await writeFile(path, 'keep')
    await expect(serve({})).rejects.toMatchObject({ code: 'API_SOCKET_IN_THE_WAY' })
    expect((await stat(path)).size).toBe(4)
  })

  it('has a short name where the home has a long one', async () => {
    const socketPath = controlSocketPath(join(home, 'x'.repeat(120)))
    const server = await serve({ 'GET /v1/rounds': async () => [] }, { socketPath })
    expect(await createApiClient(socketPath).call('GET /v1/rounds', undefined)).toEqual([])
    await stat(`${socketPath}.path`)
    await server.stop()
    await expect(stat(`${socketPath}.path`)).rejects.toThrow('ENOENT')
  })
})
