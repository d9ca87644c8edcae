import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'smol-toml'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { EXIT } from '#base'
import { runCli } from '../../cli/run-cli.ts'
import { fakeIo } from './fake-io.ts'

// The first identity loads libp2p, which takes long on a busy machine.
vi.setConfig({ testTimeout: 90_000 })

let home: string

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cotune-init-'))
})
afterEach(async () => {
  await rm(home, { recursive: true, force: true })
})

async function init(...argv: readonly string[]) {
  const { io, written } = fakeIo()
  const exitCode = await runCli(['init', ...argv, '--home', home], io)
  return { exitCode, ...written }
}

it('writes an identity and a configuration that only the owner reads, and says what is next', async () => {
  const { exitCode, stdout } = await init('device', '--name', 'kitchen')
  expect(exitCode).toBe(EXIT.ok)
  expect(stdout).toContain(`cotune daemon --home ${home}`)
  for (const name of ['identity.key', 'config.toml']) {
    expect((await stat(join(home, name))).mode & 0o777).toBe(0o600)
  }
  expect(parse(await readFile(join(home, 'config.toml'), 'utf8'))).toMatchObject({
    name: 'kitchen',
    models: { slm: expect.stringContaining('slm-llama'), dpm: expect.stringContaining('dpm') },
  })
})

it('keeps what is there, and with --force the identity', async () => {
  const first = JSON.parse((await init('cloud', '--json')).stdout) as { peerId: string }
  const second = await init('cloud')
  expect(second.exitCode).toBe(EXIT.config)
  expect(second.stderr).toContain('INIT_EXISTS')
  const third = JSON.parse((await init('cloud', '--force', '--json')).stdout) as { peerId: string }
  expect(third.peerId).toBe(first.peerId)
})

it('refuses a model folder that is none', async () => {
  const { exitCode, stderr } = await init('device', '--slm', home)
  expect(exitCode).toBe(EXIT.config)
  expect(stderr).toContain('INIT_NO_MODEL')
})

it('refuses a model without a tokenizer, which no peer starts with', async () => {
  await writeFile(join(home, 'config.json'), '{}')
  const { exitCode, stderr } = await init('device', '--slm', home)
  expect(exitCode).toBe(EXIT.config)
  expect(stderr).toContain('it has no tokenizer.json')
})

it.each([
  [['cloud', '--slm', 'zoo/slm-gpt2'], /--slm names no model of the cloud peer\n.*--llm/],
  [['device', '--llm', 'zoo/llm'], /--llm names no model of a device\n.*--slm/],
  [['--listen', 'localhost:4001'], /multiaddrs such as \/ip4\/0\.0\.0\.0\/tcp\/4001/],
  [['--listen', '/ip4/127.0.0.1/udp/4001'], /multiaddrs such as/],
  [['--name', ''], /letters, digits/],
  [['--name', 'a\u001b[31mb'], /letters, digits/],
])('refuses %j, and writes nothing', async (argv, says) => {
  const { exitCode, stderr } = await init(...argv)
  expect(exitCode).toBe(EXIT.usage)
  expect(stderr).toMatch(says)
  expect(await readdir(home)).toEqual([])
})

it('takes addresses of names and of both kinds of IP', async () => {
  const listen = '/ip4/127.0.0.1/tcp/4001,/ip6/::1/tcp/0,/dns4/cloud.example.org/tcp/4001'
  expect((await init('cloud', '--listen', listen)).exitCode).toBe(EXIT.ok)
  expect(parse(await readFile(join(home, 'config.toml'), 'utf8'))).toMatchObject({
    listen: listen.split(','),
  })
})
