import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { expect, it, onTestFinished } from 'vitest'
import { CotuneError, EXIT } from '#base'
import type { ApiHandlers } from '#protocols/api'
import { runCli } from '../../cli/run-cli.ts'
import { temporaryFolder } from '../base/temporary-folder.ts'
import { eventually } from '../daemon/eventually.ts'
import { SOURCE_COMMAND } from '../integration/source-command.ts'
import { fakeIo } from './fake-io.ts'
import { fakeRound, fakeStatus } from './fake-status.ts'
import { servePeer } from './serve-peer.ts'

type Chat = ApiHandlers['POST /v1/chat']

/** The home of a peer that answers so. */
async function peer(chat: Chat, status = fakeStatus()): Promise<string> {
  const home = temporaryFolder()
  const server = await servePeer(home, {
    'GET /v1/status': async () => status,
    'POST /v1/chat': chat,
  })
  onTestFinished(() => server.stop())
  return home
}

/** Says `pieces` and then that it is done. */
const says =
  (...pieces: readonly string[]): Chat =>
  async (_, { emit }) => {
    for (const piece of pieces) emit(piece)
    return { text: pieces.join(''), model: 'slm' }
  }

/** Says `more` until nobody listens. */
function endless(more: string) {
  const stopped = Promise.withResolvers<void>()
  const chat: Chat = async (_, { emit, signal }) => {
    while (!signal.aborted) {
      emit(more)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    stopped.resolve()
    throw signal.reason
  }
  return { chat, stopped: stopped.promise }
}

function chat(home: string, argv: readonly string[], input = '') {
  const { io, written } = fakeIo(input)
  const running = runCli(['chat', ...argv, '--home', home], io)
  return { written, ended: running.then((exitCode) => ({ exitCode, ...written })) }
}

it('answers once from words or from stdin, and refuses no question', async () => {
  const home = await peer(async ({ prompt, instruction }, context) =>
    says(`${prompt}/${instruction}`, '\u001b[31m!')({ prompt }, context),
  )
  const words = await chat(home, ['light', 'on', '--instruction', 'Do it.']).ended
  expect(words.stdout).toBe('light on/Do it.!\n')
  const piped = await chat(home, [], 'from a pipe\n').ended
  expect(piped.stdout).toBe('from a pipe/undefined!\n')
  const none = await chat(home, []).ended
  expect(none).toMatchObject({ exitCode: EXIT.usage, stdout: '' })
  expect(none.stderr).toContain('CHAT_NO_PROMPT')
})

it('says how to choose words only where asked to', async () => {
  const requests: unknown[] = []
  const home = await peer(async (request, context) => {
    requests.push(request)
    return says()(request, context)
  })
  const options = '--temperature 0.7 --top-k 5 --top-p 0.9 --repetition-penalty 1.1 --seed a'
  await chat(home, [...options.split(' '), '--stop', 'END', '--stop', '.', 'hello']).ended
  expect(await chat(home, ['hello']).ended).toMatchObject({ exitCode: EXIT.ok, stdout: '\n' })
  const sampling = { temperature: 0.7, topK: 5, topP: 0.9, repetitionPenalty: 1.1, seed: 'a' }
  expect(requests).toEqual([{ prompt: 'hello', sampling, stop: ['END', '.'] }, { prompt: 'hello' }])
  const wrong = await chat(home, ['--temperature', 'hot', 'hello']).ended
  expect(wrong).toMatchObject({ exitCode: EXIT.usage })
})

it('prints the answer while it is made', async () => {
  const shown = Promise.withResolvers<void>()
  const home = await peer(async (request, context) => {
    context.emit('Hel\u001b[3')
    await shown.promise
    return says('1mlo', ' 東京\u0007')(request, context)
  })
  const { written, ended } = chat(home, ['hello'])
  // The peer does not go on before this was seen.
  await eventually(() => expect(written.stdout).toBe('Hel'))
  shown.resolve()
  expect(await ended).toEqual({ exitCode: EXIT.ok, stdout: 'Hello 東京\n', stderr: '' })
})

it('prints the whole reply as JSON when asked to', async () => {
  const home = await peer(says('Hel', 'lo'))
  const { stdout } = await chat(home, ['hello', '--json']).ended
  expect(stdout).toBe('{"text":"Hello","model":"slm"}\n')
})

it('tells of an error in the middle of an answer', async () => {
  const home = await peer(async (_, { emit }) => {
    emit('so far')
    throw new CotuneError('JOB_STOPPED', 'the peer is stopping', {
      hint: 'start it again',
      exit: EXIT.unhealthy,
    })
  })
  expect(await chat(home, ['hello']).ended).toEqual({
    exitCode: EXIT.unhealthy,
    stdout: 'so far\n',
    stderr: 'cotune: the peer is stopping\n  hint: start it again\n  code: JOB_STOPPED\n',
  })
})

it('stops an answer on Ctrl-C and goes on with the conversation, which another ends', async () => {
  const { chat: talk, stopped } = endless('blah ')
  const home = await peer(async (request, context) =>
    (request.prompt === 'talk' ? talk : says('hello', ' you'))(request, context),
  )
  const { io, written } = fakeIo()
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined })
  const stderr = Object.assign(io.stderr, { isTTY: true })
  const running = runCli(['chat', '--home', home], { ...io, stdin, stderr })
  await eventually(() => expect(written.stderr).toMatch(/Ctrl-C stops an answer(?:.|\n)*> /))
  stdin.write('talk\r')
  await eventually(() => expect(written.stdout).toMatch(/^(?:blah ){3}/))
  stdin.write('\u0003')
  await stopped
  await eventually(() => expect(written.stdout).toMatch(/^(?:blah )+\n$/))
  stdin.write('hello\r')
  await eventually(() => expect(written.stdout).toMatch(/\nhello you\n$/))
  stdin.write('\u0003')
  expect(await running).toBe(EXIT.ok)
})

it.each([
  ['on Ctrl-C', 'SIGINT'],
  ['where nobody reads it', undefined],
] as const)('stops the peer %s', async (_, signal) => {
  const { chat: talk, stopped } = endless('blah '.repeat(100))
  const home = await peer(talk)
  const [program = '', ...argv] = SOURCE_COMMAND
  const child = spawn(program, [...argv, 'chat', 'talk', '--home', home])
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = once(child, 'exit')
  await once(child.stdout, 'data')
  if (signal) child.kill(signal)
  else child.stdout.destroy()
  // As `cotune chat talk | head -1` ends: well.
  expect(await ended).toEqual(signal ? [null, signal] : [EXIT.ok, null])
  await stopped
})

it.each([
  [fakeStatus({ round: fakeRound({ phase: 'tuning' }) }), 'kitchen is learning just now'],
  [fakeStatus(), ''],
])('says while nothing comes that the peer is learning, if it is', async (status, says) => {
  const asked = Promise.withResolvers<void>()
  const slow: Chat = async () => {
    await asked.promise
    return { text: 'late', model: 'slm' }
  }
  const home = await peer(slow, status)
  const running = [chat(home, ['hi']), chat(home, ['hi', '--json'])]
  setTimeout(asked.resolve, 3_000)
  for (const { ended } of running) {
    const { exitCode, stderr } = await ended
    expect(exitCode).toBe(EXIT.ok)
    expect(stderr.startsWith(says)).toBe(true)
    expect(stderr === '').toBe(says === '')
  }
})
