import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
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
