import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CotuneError, JobQueue, sha256Hex, silentLogger, systemClock, utf8 } from '#base'
import { decodeAdapter } from '#learning/lora'
import { RoundRunner } from '../../cloud-peer/rounds/round-runner.ts'
import { type CloudStore, openCloudStore } from '../../cloud-peer/store/cloud-store.ts'
import type { Contribution } from '../../cloud-peer/store/contributions.ts'
import type { RoundRow } from '../../cloud-peer/store/rounds.ts'
import { adapterOf, FakeTuner, type Hook, levelOf } from './fake-tuner.ts'

const DEVICES = ['A', 'B', 'C'] as const
const SETTINGS = { quorum: 2, deadlineMs: 60_000, strategy: 'fedavg' } as const

let home: string
let online: string[]
const processes: Process[] = []

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cotune-runner-'))
  online = [...DEVICES]
})

afterEach(async () => {
  for (const process of processes.splice(0)) await process.end()
  await rm(home, { recursive: true, force: true })
})

/** A cloud peer's memory over the store on disk: `kill` forgets it as a crash would, between two statements. */
class Process {
  readonly store: CloudStore
  readonly tuner: FakeTuner
  readonly rounds: RoundRow[] = []
  readonly troubles: unknown[] = []
  readonly runner: RoundRunner
  #dead = false

  constructor(hook?: Hook) {
    this.store = openCloudStore(home, systemClock)
    this.store.run.open(SETTINGS)
    for (const peerId of DEVICES)
      this.store.members.add({ peerId, name: peerId, membership: utf8(peerId) })
    this.tuner = new FakeTuner(hook)
    this.runner = new RoundRunner(
      {
        store: this.store,
        tuner: this.tuner,
        jobs: new JobQueue(),
        openUpdate,
        sealing: () => ({ sealingKey: new Uint8Array(32), maxUpdateBytes: 1 }),
        packVersion: async (content) => sha256Hex('blob', content),
        online: () => online,
        clock: systemClock,
        logger: silentLogger,
      },
      {
        onRound: (round) => this.rounds.push(round),
        onTrouble: (error) => this.troubles.push(error),
        retryMs: 1,
      },
    )
    processes.push(this)
  }

  async start(): Promise<this> {
    await this.runner.start()
    return this
  }

  /** A device's update arrives, in full and verified. */
  receive(device: string, counter: number): void {
    const round = this.store.rounds.unfinished()?.round ?? 0
    const blob = `${device}${round}`
    this.store.contributions.offer({ round, device, blob, sizeBytes: 1 })
    const update = { round, device, blob, counter, examples: weightOf(device) }
    this.store.contributions.accept(update)
    this.runner.nudge()
  }

  async published(version: number): Promise<void> {
    await eventually(() => this.store.versions.latest()?.version).toBe(version)
  }

  /** From here on nothing of it reaches the disk. */
  kill(): void {
    this.#dead = true
    void this.runner.stop()
    this.store.close()
  }

  async end(): Promise<void> {
    if (this.#dead) return
    this.#dead = true
    await this.runner.stop()
    this.store.close()
  }
}

function weightOf(device: string): number {
  return DEVICES.indexOf(device as 'A') + 1
}

async function openUpdate({ device, examples }: Contribution) {
  return { delta: adapterOf(10 * weightOf(device), 0), weight: examples ?? 0 }
}

async function sharedOf(store: CloudStore): Promise<number> {
  const digest = store.versions.latest()?.digest ?? ''
  return levelOf(decodeAdapter(await store.states.get(digest)))
}

function eventually<T>(read: () => T) {
  return expect.poll(read, { interval: 5, timeout: 15_000 })
}

const example = { id: 'e', instruction: 'i', input: 'x', output: 'y' }

describe('RoundRunner', () => {
  it('runs as many rounds as were asked for, and rests', async () => {
    const cloud = await new Process().start()
    cloud.store.examples.add('public', 'p.jsonl', [{ example, heldOut: false }])
    cloud.store.run.begin(2, SETTINGS)
    cloud.runner.nudge()
    for (const round of [1, 2]) {
      await eventually(() => cloud.store.rounds.unfinished()?.round).toBe(round)
      for (const device of DEVICES) cloud.receive(device, round)
      await cloud.published(round)
    }
    // (1*10 + 2*20 + 3*30) / 6, twice.
    expect(await sharedOf(cloud.store)).toBeCloseTo(2 * (140 / 6), 4)
    expect(cloud.rounds.map(({ round, phase }) => `${round} ${phase}`)).toEqual(
      [1, 2].flatMap((round) =>
        ['collecting', 'aggregating', 'tuning', 'published'].map((phase) => `${round} ${phase}`),
      ),
    )
    expect(new Set(cloud.tuner.seeds).size).toBe(2)
    expect(cloud.store.rounds.unfinished()).toBeUndefined()
  })

  it('waits for members that are there beyond the quorum, not for those that left', async () => {
    const cloud = await new Process().start()
    cloud.store.run.begin(1, SETTINGS)
    cloud.runner.nudge()
    await eventually(() => cloud.rounds.length).toBe(1)
    cloud.receive('A', 1)
    cloud.receive('B', 1)
    await systemClock.sleep(30)
    expect(cloud.store.rounds.unfinished()?.phase).toBe('collecting')
    online = ['A', 'B']
    cloud.runner.nudge()
    await cloud.published(1)
    expect(await sharedOf(cloud.store)).toBeCloseTo(50 / 3, 4)
  })

  it('gives up a try without a quorum at the deadline and keeps its updates for the next', async () => {
    const cloud = await new Process().start()
    cloud.store.run.begin(1, { ...SETTINGS, deadlineMs: 400 })
    cloud.runner.nudge()
    await eventually(() => cloud.rounds.length).toBe(1)
    cloud.receive('C', 1)
    online = []
    await eventually(() => cloud.store.rounds.unfinished()?.attempt).toBe(2)
    expect(cloud.store.rounds.finished()[0]).toMatchObject({
      phase: 'aborted',
      reason: 'quorum missed: 1 of 2 updates at the deadline',
    })
    cloud.receive('A', 1)
    await cloud.published(1)
    expect(await sharedOf(cloud.store)).toBeCloseTo((3 * 30 + 1 * 10) / 4, 4)
  })

  it('stops collecting when the operator says so, and goes on later', async () => {
    const cloud = await new Process().start()
    cloud.store.run.begin(1, SETTINGS)
    cloud.runner.nudge()
    await eventually(() => cloud.rounds.length).toBe(1)
    cloud.receive('A', 1)
    cloud.store.run.pause()
    cloud.runner.nudge()
    await eventually(() => cloud.store.rounds.finished()[0]?.phase).toBe('aborted')
    cloud.store.run.begin(1, { ...SETTINGS, quorum: 1 })
    online = ['A']
    cloud.runner.nudge()
    await cloud.published(1)
    expect(await sharedOf(cloud.store)).toBeCloseTo(10, 4)
  })

  it('repeats a failing phase, then gives up the try and pauses the run', async () => {
    const broken = new CotuneError('ENGINE_BROKEN', 'no engine', { hint: 'none' })
    const cloud = await new Process(async () => {
      throw broken
    }).start()
    cloud.store.run.begin(1, { ...SETTINGS, quorum: 1 })
    online = ['A']
    cloud.runner.nudge()
    await eventually(() => cloud.rounds.length).toBe(1)
    cloud.receive('A', 1)
    await eventually(() => cloud.store.run.get().running).toBe(false)
    expect(cloud.store.rounds.finished()[0]?.reason).toBe('failed: no engine')
    expect(cloud.troubles.slice(0, 3)).toEqual([broken, broken, broken])
    expect(cloud.store.contributions.received(1)).toHaveLength(1)
  })
})

describe('a kill', () => {
  /** What an undisturbed cloud peer publishes for these updates. */
  const expected = (10 + 40 + 90) / 6

  it.each(['collecting', 'aggregate', 'tune'] as const)(
    'in %s loses no update and counts none twice',
    async (at) => {
      const reached = Promise.withResolvers<void>()
      const first = await new Process(async (phase) => {
        if (phase !== at) return
        reached.resolve()
        await new Promise(() => undefined)
      }).start()
      first.store.examples.add('public', 'p.jsonl', [{ example, heldOut: false }])
      first.store.run.begin(1, SETTINGS)
      first.runner.nudge()
      await eventually(() => first.rounds.length).toBe(1)
      first.receive('A', 1)
      first.receive('B', 1)
      if (at === 'collecting') reached.resolve()
      else first.receive('C', 1)
      await reached.promise
      first.kill()

      const second = await new Process().start()
      if (at === 'collecting') {
        expect(() => second.receive('A', 2)).toThrow(/has an update of A/)
        second.receive('C', 1)
      }
      await second.published(1)
      expect(await sharedOf(second.store)).toBeCloseTo(expected, 4)
      const states = second.store.contributions.of(1).map(({ state }) => state)
      expect(states).toEqual(['merged', 'merged', 'merged'])
      expect(second.store.rounds.finished()).toHaveLength(1)
    },
  )

  it('after publishing neither publishes twice nor opens more than was asked for', async () => {
    const first = await new Process().start()
    first.store.run.begin(1, SETTINGS)
    first.runner.nudge()
    await eventually(() => first.rounds.length).toBe(1)
    for (const device of DEVICES) first.receive(device, 1)
    await first.published(1)
    first.kill()
    const second = await new Process().start()
    await systemClock.sleep(30)
    expect(second.rounds).toEqual([])
    expect(second.store.versions.latest()?.version).toBe(1)
  })
})
