import { describe, expect, it, onTestFinished } from 'vitest'
import { type CotuneError, JobQueue, sha256Hex, silentLogger, systemClock, utf8 } from '#base'
import { Learner } from '../../daemon/learner.ts'
import { RoundRunner, type RoundRunnerInit } from '../../daemon/rounds/round-runner.ts'
import { openDeviceStore } from '../../daemon/store/device-store.ts'
import { temporaryFolder } from '../base/temporary-folder.ts'
import { eventually } from './eventually.ts'
import { BASE_DIGEST, FakeLink, FakeTuner, RUN_ID, terms } from './fakes.ts'

const EXAMPLE = { instruction: 'Add one.', input: '1', output: '2' }

/** A device over `home`: make a second one over the same home to see what a restart finds. */
function device(home: string, link: FakeLink, init: Partial<RoundRunnerInit> = {}) {
  const store = openDeviceStore(home, systemClock)
  const tuner = new FakeTuner()
  const jobs = new JobQueue()
  const learner = new Learner({ store, tuner, jobs }, { seed: 's' })
  const versionsSeen: string[] = []
  const troubles: CotuneError[] = []
  const runner = new RoundRunner(
    { store, learner, link, clock: systemClock, logger: silentLogger },
    {
      baseDigest: BASE_DIGEST,
      versions: { sample: 5, maxPerplexityGrowth: 0.1, maxExactMatchLoss: 10 },
      retryMs: 5,
      maxRetryMs: 20,
      onRound: () => undefined,
      onProgress: () => () => undefined,
      onVersion: (version) => versionsSeen.push(`${version.version} ${version.kept}`),
      onJudging: () => undefined,
      onLedger: () => undefined,
      onWaiting: () => undefined,
      onTrouble: (error) => error && troubles.push(error),
      ...init,
    },
  )
  const phase = (round: number) => store.rounds.find(RUN_ID, round)?.phase
  const close = async () => {
    await jobs.stop()
    await runner.stop()
    store.close()
  }
  return { store, tuner, runner, jobs, learner, phase, close, versionsSeen, troubles }
}

function homeWithRows(): string {
  const home = temporaryFolder()
  const store = openDeviceStore(home, systemClock)
  store.examples.add('d', 'd.jsonl', [
    { example: { id: '1', ...EXAMPLE }, digest: '1', use: 'train' },
    { example: { id: '2', ...EXAMPLE }, digest: '2', use: 'evaluation' },
  ])
  store.close()
  return home
}

function start(home: string, link: FakeLink, init?: Partial<RoundRunnerInit>) {
  const peer = device(home, link, init)
  onTestFinished(() => peer.close())
  void peer.runner.start()
  return peer
}

describe('RoundRunner', { timeout: 120_000 }, () => {
  it('tunes, seals, offers, settles; then goes on from its state on the published version', async () => {
    const link = new FakeLink()
    const { tuner, store, phase, versionsSeen } = start(homeWithRows(), link)
    link.openNext(terms(1))
    await eventually(() => expect(phase(1)).toBe('received'))
    const next = link.publish(1, 0.25)
    link.openNext(next)
    await eventually(() => expect(phase(2)).toBe('received'))
    expect(phase(1)).toBe('closed')
    expect(tuner.calls.filter((call) => call.startsWith('tune'))).toEqual([
      'tune 1 from 0 0',
      'tune 2 from 1 0.25',
    ])
    await eventually(() => expect(versionsSeen).toEqual(['1 true']))
    expect(link.sealedRounds).toEqual([1, 2])
    expect(link.discarded).toEqual([link.offered[0]])
    const ledger = store.ledger.list().map(({ kind, round, sealed }) => [kind, round, sealed])
    expect(ledger.reverse()).toEqual([
      ['adapter-delta', 1, true],
      ['announcement', 1, false],
      ['adapter-delta', 2, true],
      ['announcement', 2, false],
    ])
  })

  it('never tunes a round twice: a restart and a repeated attempt offer the same update', async () => {
    const home = homeWithRows()
    const link = new FakeLink()
    link.accepting = false
    link.openNext(terms(1))
    const first = device(home, link)
    void first.runner.start()
    await eventually(() => expect(link.offered).toHaveLength(1))
    await first.close()

    const second = start(home, link)
    await eventually(() => expect(link.offered).toHaveLength(2))
    link.accepting = true
    link.openNext(terms(1, '', 2))
    link.verdicts.set(link.offered[0] ?? '', { accepted: true, reason: '' })
    link.changed()
    await eventually(() => expect(second.phase(1)).toBe('received'))
    expect(new Set(link.offered).size).toBe(1)
    expect(second.tuner.calls).toEqual([])
    expect(second.store.ledger.list().filter(({ kind }) => kind === 'adapter-delta')).toHaveLength(
      1,
    )
  })

  it('finds a round that was killed in mid-tuning still open, and tunes it the same', async () => {
    const home = homeWithRows()
    const link = new FakeLink()
    link.openNext(terms(1))
    const first = device(home, link)
    first.tuner.hang = true
    void first.runner.start()
    await eventually(() => expect(first.tuner.calls).toHaveLength(1))
    await first.close()
    const second = start(home, link)
    await eventually(() => expect(second.phase(1)).toBe('received'))
    expect(second.tuner.calls[0]).toBe('tune 1 from 0 0')
  })

  it('gives up tuning when the run has left the round', async () => {
    const link = new FakeLink()
    link.openNext(terms(1))
    const { tuner, phase } = start(homeWithRows(), link)
    tuner.hang = true
    await eventually(() => expect(tuner.calls).toHaveLength(1))
    tuner.hang = false
    link.openNext(link.publish(1, 0.25))
    await eventually(() => expect(phase(2)).toBe('received'))
    expect(phase(1)).toBe('closed')
    expect(tuner.calls).toContain('tune 2 from 0 0.25')
  })

  it('does not answer with a version that is clearly worse here, yet starts the next round from it', async () => {
    const link = new FakeLink()
    const { store, tuner, phase, versionsSeen } = start(homeWithRows(), link)
    link.openNext(link.publish(1, 0.25))
    await eventually(() => expect(versionsSeen).toEqual(['1 true']))
    link.openNext(link.publish(2, -1))
    await eventually(() => expect(versionsSeen).toEqual(['1 true', '2 false']))
    await eventually(() => expect(phase(3)).toBe('received'))
    expect(store.versions.current(RUN_ID)?.version).toBe(1)
    expect(tuner.calls).toContain('tune 3 from 1 -1')
  })

  it('refuses a run with another proxy model and says why', async () => {
    const link = new FakeLink()
    const { store, tuner, phase } = start(homeWithRows(), link)
    link.openNext({ ...terms(1), baseDigest: sha256Hex('another') })
    await eventually(() => expect(phase(1)).toBe('refused'))
    expect(store.rounds.find(RUN_ID, 1)?.reason).toContain('proxy model')
    expect(tuner.calls).toEqual([])
  })

  it('keeps the reason when the cloud peer refuses the update', async () => {
    const link = new FakeLink()
    link.accepting = false
    const { store, phase } = start(homeWithRows(), link)
    link.openNext(terms(1))
    await eventually(() => expect(link.offered).toHaveLength(1))
    link.verdicts.set(link.offered[0] ?? '', { accepted: false, reason: 'UPDATE_WRONG_ROUND' })
    link.changed()
    await eventually(() => expect(phase(1)).toBe('refused'))
    expect(store.rounds.find(RUN_ID, 1)?.reason).toBe('UPDATE_WRONG_ROUND')
  })

  it('outlives a version that is no adapter, and takes the right one later', async () => {
    const link = new FakeLink()
    const { troubles, store } = start(homeWithRows(), link)
    link.publish(1, 0.25)
    const right = link.contents.get('blob-1')
    link.contents.set('blob-1', utf8('no adapter'))
    await eventually(() => expect(troubles[0]?.code).toMatch(/^SAFETENSORS_/))
    expect(store.versions.newest(RUN_ID)).toBeUndefined()
    if (right) link.contents.set('blob-1', right)
    await eventually(() => expect(store.versions.newest(RUN_ID)?.version).toBe(1))
  })

  it('waits for rows', async () => {
    const link = new FakeLink()
    link.openNext(terms(1))
    const waits: string[] = []
    const { runner, phase, store } = start(temporaryFolder(), link, {
      onWaiting: (why) => waits.push(why),
    })
    await eventually(() => expect(waits).toContain('no-examples'))
    store.examples.add('d', 'd', [{ example: { id: '1', ...EXAMPLE }, digest: '1', use: 'train' }])
    runner.nudge()
    await eventually(() => expect(phase(1)).toBe('received'))
  })
})
