import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { CotuneError, EventLog, EXIT } from '#base'
import {
  type ApiHandlers,
  type ApiServerInit,
  controlSocketPath,
  createApiClient,
  createApiServer,
} from '#protocols/api'
import { temporaryFolder } from '../../base/temporary-folder.ts'

let socketPath: string
beforeEach(() => {
  socketPath = controlSocketPath(temporaryFolder())
})

const client = () => createApiClient(socketPath)

async function serve(chat: ApiHandlers['POST /v1/chat'], more: Partial<ApiServerInit> = {}) {
  const server = createApiServer({
    socketPath,
    role: 'device',
    handlers: { 'POST /v1/chat': chat },
    events: new EventLog(),
    health: () => ({ live: true, ready: true, checks: [] }),
    ...more,
  })
  await server.start()
  onTestFinished(() => server.stop())
  return server
}

/** What a program sees that is not our client. */
async function post(body: unknown, accept: string) {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const about = { socketPath, path: '/v1/chat', method: 'POST', headers: { accept }, agent: false }
  httpRequest(about, resolve).once('error', reject).end(JSON.stringify(body))
  const reply = await promise
  let text = ''
  for await (const chunk of reply.setEncoding('utf8')) text += chunk
  return { status: reply.statusCode, type: reply.headers['content-type'], text }
}

/** Until `signal` aborts. */
const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))

const question = { prompt: 'a question' }
const refused = () =>
  new CotuneError('WORKER_CRASHED', 'it ended', {
    hint: 'ask again',
    data: { have: 1 },
    exit: EXIT.unhealthy,
  })

it('tells the pieces before the reply is there', async () => {
  const shown = Promise.withResolvers<void>()
  await serve(async ({ prompt }, { emit }) => {
    emit(`${prompt}: 東`)
    emit('京\n')
    // Would wait for ever if pieces were kept until the end.
    await shown.promise
    emit('.')
    return { text: `${prompt}: 東京\n.`, model: 'slm' }
  })
  const pieces: string[] = []
  const reply = await client().stream('POST /v1/chat', question, (piece) => {
    if (pieces.push(piece) === 2) shown.resolve()
  })
  expect(pieces).toEqual(['a question: 東', '京\n', '.'])
  expect(reply).toEqual({ text: 'a question: 東京\n.', model: 'slm' })
})

it('is server-sent events, and only for who accepts them', async () => {
  await serve(async (_, { emit }) => {
    emit('Hel')
    emit('lo')
    return { text: 'Hello', model: 'slm' }
  })
  const parts = await post(question, 'text/event-stream')
  expect(parts.type).toBe('text/event-stream; charset=utf-8')
  const events = ['{"piece":"Hel"}', '{"piece":"lo"}', '{"reply":{"text":"Hello","model":"slm"}}']
  expect(parts.text).toBe(events.map((event) => `data: ${event}\n\n`).join(''))
  const whole = await post(question, '*/*')
  expect(whole.type).toBe('application/json; charset=utf-8')
  expect(JSON.parse(whole.text)).toEqual({ text: 'Hello', model: 'slm' })
})

it('brings back what the peer threw, before the first piece and after it', async () => {
  await serve(async ({ prompt }, { emit }) => {
    if (prompt === 'late') emit('so far')
    throw refused()
  })
  const { code, message, hint, data, exit } = refused()
  for (const prompt of ['late', 'early']) {
    const pieces: string[] = []
    const reading = client().stream('POST /v1/chat', { prompt }, (piece) => pieces.push(piece))
    await expect(reading).rejects.toMatchObject({ code, message, hint, data, exit })
    expect(pieces).toEqual(prompt === 'late' ? ['so far'] : [])
  }
  const early = await post({ prompt: 'early' }, 'text/event-stream')
  expect(early.status).toBe(503)
})

it('says nothing of an unexpected failure in the middle, but to the log', async () => {
  const failures: unknown[] = []
  await serve(
    async (_, { emit }) => {
      emit('so far')
      throw new TypeError('my secret')
    },
    { onFailure: (_, error) => failures.push(error) },
  )
  const { text } = await post(question, 'text/event-stream')
  expect(text).toContain('API_INTERNAL')
  expect(text).not.toContain('secret')
  expect(failures).toHaveLength(1)
})

it('aborts the handler when the reader goes away, and drops what comes after', async () => {
  const gone = Promise.withResolvers<void>()
  const failures: unknown[] = []
  const server = await serve(
    async (_, { emit, signal }) => {
      emit('so far')
      await aborted(signal)
      emit('too late')
      gone.resolve()
      throw signal.reason
    },
    { onFailure: (_, error) => failures.push(error) },
  )
  const reader = new AbortController()
  const onPiece = () => reader.abort(new Error('enough'))
  const reading = client().stream('POST /v1/chat', question, onPiece, reader.signal)
  await expect(reading).rejects.toThrow('enough')
  await gone.promise
  await server.stop()
  expect(failures).toEqual([])
})

it('ends with API_STOPPING when the peer stops', async () => {
  const server = await serve(async (_, { emit, signal }) => {
    emit('so far')
    await aborted(signal)
    throw signal.reason
  })
  let closed: Promise<void> | undefined
  const onPiece = () => {
    closed = server.stop()
  }
  const reading = client().stream('POST /v1/chat', question, onPiece)
  await expect(reading).rejects.toMatchObject({ code: 'API_STOPPING' })
  await closed
})

it('ends with API_UNREACHABLE when the peer dies in the middle', async () => {
  const server = createServer((_, response) => {
    response.write('data: {"piece":"so far"}\n\n')
    setTimeout(() => response.destroy(), 30)
  })
  onTestFinished(() => void server.close())
  await once(server.listen(socketPath), 'listening')
  const pieces: string[] = []
  const reading = client().stream('POST /v1/chat', question, (piece) => pieces.push(piece))
  await expect(reading).rejects.toMatchObject({ code: 'API_UNREACHABLE', exit: EXIT.unreachable })
  expect(pieces).toEqual(['so far'])
})
