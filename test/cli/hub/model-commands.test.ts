import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EXIT } from '#base'
import { hubSettings } from '../../../cli/hub/hub-settings.ts'
import { ProgressPrinter } from '../../../cli/hub/progress-printer.ts'
import { runCli } from '../../../cli/run-cli.ts'
import { fakeIo } from '../fake-io.ts'
import { FakeHub } from './fake-hub.ts'
import { COMMIT, tinyRepository } from './tiny-repository.ts'

let root: string
let hub: FakeHub

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'cotune-model-'))
  hub = new FakeHub()
  hub.repositories.set('org/tiny', tinyRepository())
  await hub.start()
})
afterEach(async () => {
  await hub.stop()
  await rm(root, { recursive: true, force: true })
})

async function run(...argv: readonly string[]) {
  const env = {
    COTUNE_MODELS: join(root, 'library'),
    HF_ENDPOINT: hub.endpoint,
    HF_TOKEN: 'hf_mine',
  }
  const { io, written } = fakeIo('', env)
  const exitCode = await runCli(['model', ...argv], io)
  return { exitCode, ...written }
}

it('pulls, lists, imports and removes, for people', async () => {
  expect((await run('list')).stderr).toContain('cotune model pull ORG/NAME')
  const pulled = await run('pull', 'org/tiny')
  expect(pulled.exitCode).toBe(EXIT.ok)
  expect(pulled.stdout).toContain(`org/tiny@${COMMIT.slice(0, 12)}: llama`)
  expect(pulled.stderr).toMatch(/100 % {2}[\d.]+ KiB of [\d.]+ KiB/)
  expect((await run('pull', 'org/tiny')).stderr).toContain('it is here already')

  const folder = pulled.stdout.trim().split('\n').at(-1)!
  await run('import', folder, '--name', 'me/copy')
  const list = (await run('list')).stdout.split('\n')
  expect(list[1]).toMatch(/^me\/copy +llama/)
  expect(list[2]).toMatch(/^org\/tiny +llama .* 93efa2f097d5 main/)

  expect((await run('remove', 'org/tiny')).stdout).toMatch(
    /^removed org\/tiny@93efa2f097d5, [\d.]+ KiB freed/,
  )
  const again = await run('remove', 'org/tiny')
  expect(again.exitCode).toBe(EXIT.data)
  expect(again.stderr).toContain('MODEL_NOT_IN_LIBRARY')
})

it('does so for scripts: one JSON value on stdout, progress as JSON on stderr', async () => {
  const { stdout, stderr } = await run('pull', 'org/tiny@v1.0', '--json')
  expect(JSON.parse(stdout)).toMatchObject({
    name: 'org/tiny',
    revision: COMMIT,
    labels: ['v1.0'],
    family: 'llama',
    isNew: true,
  })
  for (const line of stderr.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('progress')
  const [model] = JSON.parse((await run('list', '--json')).stdout) as readonly { folder: string }[]
  expect(await readdir(model!.folder)).toContain('model.safetensors')
  expect(JSON.parse((await run('remove', 'org/tiny', '--json')).stdout)).toMatchObject([
    { name: 'org/tiny', revision: COMMIT },
  ])
  const failed = await run('pull', '../tiny', '--json')
  expect(failed.exitCode).toBe(EXIT.usage)
  expect(JSON.parse(failed.stdout)).toMatchObject({ error: { code: 'MODEL_NAME_INVALID' } })
})

it('never says the token', async () => {
  hub.interfere = (_, reply) => {
    reply.writeHead(403).end()
    return true
  }
  const { exitCode, stdout, stderr } = await run('pull', 'org/tiny')
  expect(exitCode).toBe(EXIT.refused)
  expect(hub.seen[0]?.authorization).toBe('Bearer hf_mine')
  expect(stdout + stderr).not.toContain('hf_mine')
})

it('shows what is not whole yet', async () => {
  hub.interfere = ({ server }, reply) => {
    if (server === 'files') reply.writeHead(404).end()
    return server === 'files'
  }
  expect((await run('pull', 'org/tiny')).exitCode).toBe(EXIT.data)
  expect((await run('list')).stderr).toContain('not whole yet: org/tiny@93efa2f097d5')
  expect((await run('remove', 'org/tiny')).exitCode).toBe(EXIT.ok)
  expect((await run('list')).stderr).not.toContain('not whole')
})

describe('hubSettings', () => {
  it('takes options before variables, and a token from a file', async () => {
    const file = join(root, 'token')
    await writeFile(file, 'from-file\n')
    const env = { HF_ENDPOINT: 'http://mirror/', HF_TOKEN: 'from-env' }
    expect(await hubSettings({}, {})).toEqual({ endpoint: 'https://huggingface.co' })
    expect(await hubSettings({}, env)).toEqual({ endpoint: 'http://mirror', token: 'from-env' })
    expect(await hubSettings({ endpoint: 'https://a/hub', tokenFile: file }, env)).toEqual({
      endpoint: 'https://a/hub',
      token: 'from-file',
    })
  })

  it.each([
    [{ endpoint: 'huggingface.co' }, {}],
    [{ endpoint: 'file:///etc' }, {}],
    [{ endpoint: 'https://me:secret@mirror' }, {}],
    [{ tokenFile: '/does/not/exist' }, {}],
    [{}, { HF_TOKEN: 'two words' }],
  ])('refuses %j %j', async (options, env) => {
    await expect(hubSettings(options, env)).rejects.toThrow(
      expect.objectContaining({ code: 'MODEL_HUB_SETTINGS' }),
    )
  })
})

describe('ProgressPrinter', () => {
  const MIB = 1_048_576

  function printer(isTTY: boolean, columns = 80) {
    const { io, written } = fakeIo()
    Object.assign(io.stderr, { isTTY, columns })
    const clock = { at: 0, now: () => clock.at }
    const printing = new ProgressPrinter(io, false, clock)
    const at = (seconds: number, mebibytes: number) => {
      clock.at = seconds * 1_000
      const haveBytes = mebibytes * MIB
      printing.update({ file: 'model.safetensors', haveBytes, totalBytes: 100 * MIB })
    }
    return { printing, at, written }
  }

  it('draws one line on a terminal, no wider than it is, and takes it away', () => {
    const { printing, at, written } = printer(true, 40)
    at(0, 0)
    at(0.05, 1)
    at(1, 10)
    printing.end()
    expect(written.stderr.split('\r\u001b[K').slice(1)).toEqual([
      '  0 %  0 B of 100 MiB  model.safetensor',
      ' 10 %  10.0 MiB of 100 MiB  10.0 MiB/s ',
      '',
    ])
  })

  it('prints a line now and then elsewhere, with the rate of the last seconds and the time left', () => {
    const { at, written } = printer(false)
    // What an earlier try left is no speed.
    for (let second = 0; second <= 25; second++) at(second, 40 + second)
    for (let second = 26; second <= 40; second++) at(second, 65 + 2 * (second - 25))
    expect(written.stderr.trimEnd().split('\n')).toEqual([
      ' 40 %  40.0 MiB of 100 MiB  model.safetensors',
      ' 50 %  50.0 MiB of 100 MiB  1.0 MiB/s  50 s left  model.safetensors',
      ' 60 %  60.0 MiB of 100 MiB  1.0 MiB/s  40 s left  model.safetensors',
      ' 75 %  75.0 MiB of 100 MiB  1.5 MiB/s  17 s left  model.safetensors',
      ' 95 %  95.0 MiB of 100 MiB  2.0 MiB/s  3 s left  model.safetensors',
    ])
  })
})
