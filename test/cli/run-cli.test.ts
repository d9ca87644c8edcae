import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CotuneError, EXIT, type Startable } from '#base'
import type { ApiServerInit } from '#protocols/api'
import { runCli } from '../../cli/run-cli.ts'
import { fakeIo } from './fake-io.ts'
import { fakeRound, fakeStatus } from './fake-status.ts'
import { servePeer } from './serve-peer.ts'

let home: string
let server: Startable | undefined

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cotune-cli-'))
})

afterEach(async () => {
  await server?.stop()
  server = undefined
  await rm(home, { recursive: true, force: true })
})

async function serve(handlers: ApiServerInit['handlers']): Promise<void> {
  server = await servePeer(home, handlers)
}

async function cotune(argv: readonly string[], input = '', env: NodeJS.ProcessEnv = {}) {
  const { io, written } = fakeIo(input, env)
  const exitCode = await runCli(argv, io)
  return { exitCode, ...written }
}

const withHome = (...argv: readonly string[]) => [...argv, '--home', home]

describe('the command line', () => {
  it('prints help for itself and for every command, with examples', async () => {
    const help = await cotune(['--help'])
    expect(help).toMatchObject({ exitCode: EXIT.ok, stderr: '' })
    const commands = 'init daemon cloud invite join data status round mesh tui eval chat'.split(' ')
    for (const command of commands) {
      expect(help.stdout).toMatch(new RegExp(`^  ${command}\\b`, 'm'))
      const page = await cotune(
        command === 'data' ? ['data', 'import', '--help'] : [command, '--help'],
      )
      expect(page.exitCode).toBe(EXIT.ok)
      expect(page.stdout).toMatch(/Examples?:/)
    }
  })

  it('says in the help which options must be given', async () => {
    const { stdout } = await cotune(['eval', '--help'])
    expect(stdout).toMatch(/--data <file> [^-]*\(required\)/)
    expect(stdout).not.toMatch(/--limit <n> [^-]*\(required\)/)
  })

  it('prints its help on stderr and exits with 2 when told nothing', async () => {
    const { exitCode, stdout, stderr } = await cotune([])
    expect({ exitCode, stdout }).toEqual({ exitCode: EXIT.usage, stdout: '' })
    expect(stderr).toContain('Usage: cotune')
  })

  it.each([
    [['stauts'], /unknown command 'stauts'\n.*status/],
    [['chat', '--top-p', '2', 'hi'], /a number above 0 and at most 1 is needed/],
    [['chat', '--temperature', '200', 'hi'], /a number above 0 and at most 100 is needed/],
    [['chat', '--stop', '', 'hi'], /a text that is not empty is needed/],
    [['invite', '--ttl', '60d'], /a duration from 1s to 30d is needed/],
    [['invite', '--name', 'a/b'], /up to 64 letters, digits/],
    [['round', 'start', '--deadline', '10ms'], /a duration from 1s to 7d is needed/],
    [['status', '--hme', 'x'], /unknown option '--hme'/],
    [['round', 'start', '--rounds', 'many'], /whole number of at least 1/],
    [['round', 'start', '--deadline', '5'], /90s, 10m or 2h/],
    [['data', 'import'], /missing required argument 'file'/],
    [['data', 'import', 'f', '--columns', 'a'], /instruction=question/],
    [['init', 'server'], /Allowed choices are device, cloud/],
  ])('refuses %j as usage', async (argv, message) => {
    const { exitCode, stdout, stderr } = await cotune(argv)
    expect(exitCode).toBe(EXIT.usage)
    expect(stdout).toBe('')
    expect(stderr).toMatch(message)
    expect(stderr).toContain('code: CLI_USAGE')
  })

  it('prints message, hint and code of an error, and no stack', async () => {
    const { exitCode, stdout, stderr } = await cotune(withHome('status'))
    expect({ exitCode, stdout }).toEqual({ exitCode: EXIT.unreachable, stdout: '' })
    expect(stderr).toMatch(
      /^cotune: no peer answers on .*\n {2}hint: start it with .*\n {2}code: API_UNREACHABLE\n$/,
    )
  })

  it('prints the stack and the causes when asked to', async () => {
    const { stderr } = await cotune(withHome('status'), '', { COTUNE_DEBUG: '1' })
    expect(stderr).toMatch(/at .*client/)
    expect(stderr).toContain('caused by Error: connect ENOENT')
  })

  it('prints an error as JSON on stdout with --json', async () => {
    const { exitCode, stdout, stderr } = await cotune(withHome('status', '--json'))
    expect({ exitCode, stderr }).toEqual({ exitCode: EXIT.unreachable, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'API_UNREACHABLE' } })
  })

  it('tells of an unexpected failure without pretending', async () => {
    await serve({ 'GET /v1/status': async () => ({}) as never })
    const { exitCode, stderr } = await cotune(withHome('status'))
    expect(exitCode).toBe(EXIT.failure)
    expect(stderr).toContain('code: CLI_UNEXPECTED')
  })
})

describe('status', () => {
  it('is a page of text, and as JSON what the peer said', async () => {
    const status = fakeStatus({ round: fakeRound() })
    await serve({ 'GET /v1/status': async () => status })
    const page = await cotune(withHome('status'))
    expect(page.exitCode).toBe(EXIT.ok)
    expect(page.stdout).toContain('kitchen · device · ready')
    expect(page.stdout).toContain('round 1/3 collecting, 1 of 2 updates')
    expect(page.stdout).toContain('learning runs on cpu (onnxruntime); worst delay')
    const json = await cotune(withHome('status', '--json'))
    expect(JSON.parse(json.stdout)).toEqual(status)
  })

  it('exits with 4 when the peer is not ready or has an error to tell', async () => {
    const alert = {
      code: 'X',
      severity: 'error',
      text: 'disk full',
      hint: 'free some',
      since: 1,
    } as const
    let status = fakeStatus({ ready: false })
    await serve({ 'GET /v1/status': async () => status })
    expect((await cotune(withHome('status'))).exitCode).toBe(EXIT.unhealthy)
    status = fakeStatus({ alerts: [alert] })
    const { exitCode, stdout } = await cotune(withHome('status'))
    expect(exitCode).toBe(EXIT.unhealthy)
    expect(stdout).toContain('error: disk full\n  hint: free some')
  })

  it("shows no escape sequence that hides in a peer's name", async () => {
    await serve({ 'GET /v1/status': async () => fakeStatus({ name: 'a\u001b[2Jb\u202ec\u0007' }) })
    const { stdout } = await cotune(withHome('status'))
    expect(stdout).toContain('abc · device')
    expect(stdout).not.toMatch(/[\u001b\u0007\u202e]/)
  })
})

describe('commands', () => {
  it('invite prints the invite alone on stdout', async () => {
    const requests: unknown[] = []
    await serve({
      'POST /v1/invites': async (request) => {
        requests.push(request)
        return { invite: 'cotune1:abc', expiresAt: Date.now() + 3_600_000 }
      },
    })
    const { stdout, stderr } = await cotune(withHome('invite', '--name', 'kitchen', '--ttl', '1h'))
    expect(stdout).toBe('cotune1:abc\n')
    expect(stderr).toContain('valid for 60 min')
    expect(requests).toEqual([{ name: 'kitchen', ttlMs: 3_600_000 }])
  })

  it('join passes the invite on', async () => {
    await serve({ 'POST /v1/join': async ({ invite }) => ({ runId: invite, cloudId: 'c' }) })
    const { stdout } = await cotune(withHome('join', 'cotune1:abc', '--json'))
    expect(JSON.parse(stdout)).toEqual({ runId: 'cotune1:abc', cloudId: 'c' })
  })

  it('data import makes the path absolute and reports what was skipped', async () => {
    const requests: unknown[] = []
    await serve({
      'POST /v1/data': async (request) => {
        requests.push(request)
        const skipped = [{ line: 3, code: 'DATA_ROW_NO_ANSWER', message: 'no answer' }]
        return { name: request.name, imported: 2, duplicates: 1, skipped, dryRun: false }
      },
    })
    const argv = [
      'data',
      'import',
      'faq.csv',
      '--columns',
      'instruction=q,output=a',
      '--on-error',
      'skip',
    ]
    const { exitCode, stdout } = await cotune(withHome(...argv))
    expect(exitCode).toBe(EXIT.partial)
    expect(stdout).toBe(
      'faq: imported 2 rows; 1 duplicates, 1 skipped\n  line 3: no answer (DATA_ROW_NO_ANSWER)\n',
    )
    expect(requests).toEqual([
      {
        name: 'faq',
        path: join(process.cwd(), 'faq.csv'),
        columns: { instruction: 'q', output: 'a' },
        use: 'split',
        onError: 'skip',
      },
    ])
  })

  it.each([
    ['faq 2026.csv', 'faq 2026'],
    ['_über(1).csv', 'über-1-'],
    ['__.csv', 'data'],
    [`${'long'.repeat(30)}.csv`, 'long'.repeat(16)],
  ])('names the data of %s by its file: %s', async (file, name) => {
    await serve({
      'POST /v1/data': async (request) => ({
        name: request.name,
        imported: 1,
        duplicates: 0,
        skipped: [],
        dryRun: false,
      }),
    })
    const { stdout } = await cotune(withHome('data', 'import', file, '--json'))
    expect(JSON.parse(stdout)).toMatchObject({ name })
  })

  it('round shows the round; round start takes the options of parent and child', async () => {
    const requests: unknown[] = []
    await serve({
      'GET /v1/status': async () => fakeStatus({ round: fakeRound() }),
      'POST /v1/run': async (request) => {
        requests.push(request)
        return fakeRound()
      },
    })
    const page = await cotune(withHome('round'))
    expect(page.stdout).toContain('kitchen  received  2.0 KiB')
    const argv = ['round', 'start', '--rounds', '2', '--quorum', '1', '--deadline', '30m', '--json']
    const { stdout } = await cotune(withHome(...argv))
    expect(JSON.parse(stdout)).toMatchObject({ round: 1 })
    expect(requests).toEqual([{ rounds: 2, quorum: 1, deadlineMs: 1_800_000 }])
  })

  it("gives the peer's error with its exit code", async () => {
    await serve({
      'POST /v1/join': async () => {
        throw new CotuneError('INVITE_USED', 'the invite was used', {
          hint: 'ask for another',
          exit: EXIT.refused,
        })
      },
    })
    const { exitCode, stderr } = await cotune(withHome('join', 'x'))
    expect(exitCode).toBe(EXIT.refused)
    expect(stderr).toBe(
      'cotune: the invite was used\n  hint: ask for another\n  code: INVITE_USED\n',
    )
  })
})
