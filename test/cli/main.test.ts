import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { expect, it, vi } from 'vitest'
import { EXIT } from '#base'
import { SOURCE_COMMAND } from '../integration/source-command.ts'

// A whole process from source takes seconds to load on a busy machine.
vi.setConfig({ testTimeout: 60_000 })

const [node = '', ...source] = SOURCE_COMMAND

async function exitOf(child: ChildProcess): Promise<unknown> {
  return (await once(child, 'close'))[0]
}

it.runIf(existsSync('/dev/full'))('says that its output does not fit on the disk', async () => {
  const full = await open('/dev/full', 'w')
  const child = spawn(node, [...source, '--version'], { stdio: ['ignore', full.fd, 'pipe'] })
  const [exitCode, stderr] = await Promise.all([exitOf(child), text(child.stderr!)])
  await full.close()
  expect(exitCode).toBe(EXIT.failure)
  expect(stderr).toMatch(
    /^cotune: cannot write the output: ENOSPC.*\n {2}hint: .+\n {2}code: CLI_OUTPUT\n$/,
  )
})

it('exits well when nobody reads on, and as always when nobody reads complaints', async () => {
  const quiet = spawn(node, [...source, '--help'], { stdio: ['ignore', 'pipe', 'ignore'] })
  quiet.stdout.destroy()
  const wrong = spawn(node, [...source, 'stauts'], { stdio: ['ignore', 'ignore', 'pipe'] })
  wrong.stderr.destroy()
  expect(await Promise.all([exitOf(quiet), exitOf(wrong)])).toEqual([EXIT.ok, EXIT.usage])
})
