import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { packagePath } from '#base'
import { controlSocketPath, createApiClient } from '#protocols/api'
import { temporaryFolder } from '../base/temporary-folder.ts'
import { eventually } from './eventually.ts'
import { MiniCloud } from './mini-cloud.ts'

async function startChild(home: string): Promise<ChildProcess> {
  const child = fork(packagePath('test', 'daemon', 'child.ts'), [home], {
    execArgv: ['--conditions=cotune-source', '--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  await once(child, 'message')
  return child
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

describe('kill -9', () => {
  it('in mid-training or anywhere else loses no round and makes no second update', async () => {
    const cloud = new MiniCloud()
    await cloud.start()
    onTestFinished(() => cloud.stop())
    const home = temporaryFolder()
    const rows = join(temporaryFolder(), 'rows.jsonl')
    const lines = Array.from({ length: 20 }, (_, i) =>
      JSON.stringify({ input: `question ${i}`, output: `answer ${i}` }),
    )
    writeFileSync(rows, lines.join('\n'))

    let child = await startChild(home)
    const client = createApiClient(controlSocketPath(home))
    await client.call('POST /v1/data', { name: 'rows', path: rows })
    await client.call('POST /v1/join', { invite: cloud.invite() })
    let startVersion: string | undefined
    // After 150 ms it trains; after 450 ms it seals, offers or waits for its receipt.
    for (const [i, delayMs] of [150, 450].entries()) {
      const round = i + 1
      await cloud.open(round, startVersion)
      await eventually(async () => {
        expect((await client.call('GET /v1/status')).round?.round).toBe(round)
      })
      await delay(delayMs)
      await kill(child)
      child = await startChild(home)
      await eventually(() => expect(cloud.updates).toHaveLength(round))
      await eventually(async () => {
        const status = await client.call('GET /v1/status')
        expect(status.round?.participants[0]?.phase).toBe('received')
      })
      startVersion = await cloud.publish(round, 0.25)
    }
    expect(cloud.manifests.map(({ round }) => round)).toEqual([1, 2])
    expect(new Set(cloud.manifests.map(({ senderId }) => senderId)).size).toBe(1)
    const { ledger } = await client.call('GET /v1/status')
    expect(ledger.filter(({ kind }) => kind === 'adapter-delta').length).toBeGreaterThanOrEqual(2)
  }, 240_000)
})
