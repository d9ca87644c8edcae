import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { silentLogger } from '#base'
import { createDaemon, daemonConfigSchema } from '#daemon'
import { controlSocketPath, createApiClient } from '#protocols/api'
import { temporaryFolder } from '../base/temporary-folder.ts'
import { eventually } from './eventually.ts'
import { FakeTuner } from './fakes.ts'
import { MiniCloud } from './mini-cloud.ts'

async function startCloud(): Promise<MiniCloud> {
  const cloud = new MiniCloud()
  await cloud.start()
  onTestFinished(() => cloud.stop())
  return cloud
}

/** A daemon over `home` with a fake tuner and everything else real. */
async function startDaemon(home: string) {
  const tuner = new FakeTuner()
  const config = daemonConfigSchema.parse({ home, name: 'kitchen', versions: { sample: 4 } })
  const daemon = createDaemon(config, { logger: silentLogger, createTuner: async () => tuner })
  await daemon.start()
  onTestFinished(() => daemon.stop())
  const client = createApiClient(controlSocketPath(home))
  return { daemon, tuner, client }
}

function rowsFile(count: number): string {
  const path = join(temporaryFolder(), 'orders.jsonl')
  const rows = Array.from({ length: count }, (_, i) =>
    JSON.stringify({ instruction: 'Repeat.', input: `order ${i}`, output: `order ${i}` }),
  )
  writeFileSync(path, rows.join('\n'))
  return path
}

describe('a device', { timeout: 180_000 }, () => {
  it('joins by invite, takes part in two rounds, and answers over its local API', async () => {
    const cloud = await startCloud()
    const { tuner, client, daemon } = await startDaemon(temporaryFolder())
    const imported = await client.call('POST /v1/data', { name: 'orders', path: rowsFile(40) })
    expect(imported.imported).toBe(40)
    const joined = await client.call('POST /v1/join', { invite: cloud.invite() })
    expect(joined.cloudId).toBe(cloud.identity.peerId)

    await cloud.open(1)
    await eventually(() => expect(cloud.updates).toHaveLength(1))
    expect(cloud.updates[0]?.delta.get('layer.lora_A.weight')?.data[0]).toBeCloseTo(0.125, 2)
    const blobId = await cloud.publish(1, 0.25)
    await cloud.open(2, blobId)
    await eventually(() => expect(cloud.updates).toHaveLength(2))
    expect(tuner.calls).toContain('tune 2 from 1 0.25')

    await eventually(async () => {
      const status = await client.call('GET /v1/status')
      expect(status.round?.participants[0]?.phase).toBe('received')
      expect(status.dpmVersion).toBe(1)
    })
    const askedAt = Date.now()
    const status = await client.call('GET /v1/status')
    expect(status.peers.map(({ lastSeen }) => lastSeen! >= askedAt)).toEqual([true, true])
    expect(status.loopDelayMs).toBeGreaterThanOrEqual(0)
    expect(status).toMatchObject({
      role: 'device',
      engine: { provider: 'cpu' },
      name: 'kitchen',
      runId: joined.runId,
      alerts: [],
    })
    expect(status.peers.map(({ role, connected }) => [role, connected])).toEqual([
      ['device', true],
      ['cloud', true],
    ])
    expect(status.datasets[0]).toMatchObject({ name: 'orders', source: 'orders.jsonl' })
    const deltas = status.ledger.filter(({ kind }) => kind === 'adapter-delta')
    expect(deltas.map(({ round, sealed, to }) => [round, sealed, to])).toEqual([
      [2, true, joined.cloudId],
      [1, true, joined.cloudId],
    ])
    expect(await client.call('POST /v1/chat', { prompt: 'hello' })).toEqual({
      text: 'slm: hello 2',
      model: 'slm',
    })
    expect(await client.call('POST /v1/baseline', { rounds: 2 })).toEqual({ steps: 7 })
    const scores = await client.call('POST /v1/evaluate', { model: 'slm', label: 'standalone' })
    expect(scores.em).toBe(50)
    expect(tuner.calls.at(-1)).toBe('evaluate slm 100 0')
    expect(await client.call('POST /v1/rollback', { version: 0 })).toEqual({ version: 0 })
    await client.call('POST /v1/evaluate', { model: 'dpm', label: 'cotuned' })
    expect(tuner.calls.at(-1)).toBe('evaluate dpm 2 0')
    await client.call('POST /v1/shutdown', {})
    await daemon.stopRequested
  })

  it('shows an answer while it is made, and stops it when nobody waits any more', async () => {
    const { tuner, client } = await startDaemon(temporaryFolder())
    tuner.hang = true
    const reader = new AbortController()
    const pieces: string[] = []
    const onPiece = (piece: string) => {
      if (pieces.push(piece) === 3) reader.abort(new Error('enough'))
    }
    const request = { prompt: 'hello' }
    const reading = client.stream('POST /v1/chat', request, onPiece, reader.signal)
    await expect(reading).rejects.toThrow('enough')
    expect(pieces).toEqual(['slm: ', 'hello', ' 0'])
    await eventually(() => expect(tuner.calls).toContain('answer aborted'))
  })

  it('goes on after a restart: same run, same update, no second one', async () => {
    const cloud = await startCloud()
    const home = temporaryFolder()
    const first = await startDaemon(home)
    await first.client.call('POST /v1/data', { name: 'orders', path: rowsFile(20) })
    await first.client.call('POST /v1/join', { invite: cloud.invite() })
    cloud.deaf = true
    await cloud.open(1)
    const phase = async ({ client }: typeof first) =>
      (await client.call('GET /v1/status')).round?.participants[0]?.phase
    await eventually(async () => expect(await phase(first)).toBe('offered'))
    await first.daemon.stop()

    cloud.deaf = false
    const second = await startDaemon(home)
    await eventually(async () => expect(await phase(second)).toBe('received'))
    expect(cloud.updates).toHaveLength(1)
    expect(second.tuner.calls.filter((call) => call.startsWith('tune'))).toEqual([])
  })

  it('refuses what it cannot do, by name, and stays up', async () => {
    const { client } = await startDaemon(temporaryFolder())
    const code = (promise: Promise<unknown>) =>
      promise.then(
        () => 'none',
        (error: unknown) => (error as { code?: string }).code,
      )
    expect(await code(client.call('POST /v1/join', { invite: 'cotune1:nonsense' }))).toMatch(
      /^INVITE_/,
    )
    expect(await code(client.call('POST /v1/run', { rounds: 1 }))).toBe('API_WRONG_ROLE')
    const llm = { model: 'llm', label: 'before' } as const
    expect(await code(client.call('POST /v1/evaluate', llm))).toBe('MODEL_NOT_HERE')
    const standalone = { model: 'slm', label: 'standalone' } as const
    expect(await code(client.call('POST /v1/evaluate', standalone))).toBe('EVALUATE_NO_BASELINE')
    expect(await code(client.call('POST /v1/baseline', { rounds: 1 }))).toBe('DATA_NONE')
    expect(await code(client.call('POST /v1/rollback', { version: 9 }))).toBe('VERSION_UNKNOWN')
    const nowhere = { name: 'x', path: '/nowhere/x.jsonl' }
    expect(await code(client.call('POST /v1/data', nowhere))).toBe('IMPORT_UNREADABLE')
    expect((await client.call('GET /v1/status')).runId).toBeNull()
  })

  it('stops a running job at once, removes its socket and keeps no text of rows in its log of events', async () => {
    const home = temporaryFolder()
    const { daemon, client, tuner } = await startDaemon(home)
    await client.call('POST /v1/data', { name: 'orders', path: rowsFile(20), use: 'evaluation' })
    tuner.hang = true
    const job = client.call('POST /v1/evaluate', { model: 'slm', label: 'before' })
    const outcome = job.then(
      () => 'done',
      () => 'interrupted',
    )
    await eventually(() => expect(tuner.calls).toHaveLength(1))
    const began = Date.now()
    await daemon.stop()
    expect(Date.now() - began).toBeLessThan(5_000)
    expect(await outcome).toBe('interrupted')
    expect(existsSync(controlSocketPath(home))).toBe(false)
    expect(JSON.stringify(daemon.events.since(0))).not.toContain('order 1')
    expect(tuner.calls.at(-1)).toBe('close')
  })

  it('refuses a second daemon on the same home', async () => {
    const home = temporaryFolder()
    await startDaemon(home)
    await expect(startDaemon(home)).rejects.toMatchObject({ code: expect.stringMatching(/^API_/) })
  })

  it('keeps its key to itself', async () => {
    const home = temporaryFolder()
    await startDaemon(home)
    expect(readdirSync(home)).toContain('identity.key')
    expect(readFileSync(join(home, 'identity.key')).length).toBeGreaterThan(32)
  })
})
