import { describe, expect, it, onTestFinished } from 'vitest'
import { type Clock, createRandom } from '#base'
import { followPeer } from '../../tui/follow-peer.ts'
import type { Arrival } from '../../tui/state/reduce-model.ts'
import { FakePeer } from './fake-peer.ts'

/** Time that passes only when the test lets a sleeper go on. */
class StepClock implements Clock {
  time = 0
  readonly sleeps: { readonly ms: number; readonly wake: () => void }[] = []

  now(): number {
    return this.time
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const sleeper = { ms, wake: resolve }
    this.sleeps.push(sleeper)
    const gone = () => {
      this.sleeps.splice(this.sleeps.indexOf(sleeper), 1)
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', gone, { once: true })
    return promise.finally(() => signal?.removeEventListener('abort', gone))
  }

  /** Lets the only sleeper go on, and what depends on it run. */
  async step(): Promise<number> {
    const sleeper = this.sleeps.shift()
    if (sleeper === undefined) throw new Error('nobody sleeps')
    this.time += sleeper.ms
    sleeper.wake()
    await settle()
    return sleeper.ms
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i += 1) await new Promise((resolve) => setImmediate(resolve))
}

async function follow() {
  const peer = new FakePeer()
  const clock = new StepClock()
  const arrivals: Arrival[] = []
  const end = new AbortController()
  const done = followPeer({
    client: peer,
    clock,
    random: createRandom('jitter'),
    onArrival: (arrival) => arrivals.push(arrival),
    signal: end.signal,
  })
  onTestFinished(() => {
    end.abort()
    return done
  })
  const types = () => arrivals.splice(0).map(({ type }) => type)
  return { peer, clock, arrivals, types, end, done }
}

const line = { type: 'log', level: 'info', component: 'x', message: 'm' } as const

describe('followPeer', () => {
  it('takes a snapshot, all events that are held, those to come, and snapshots again', async () => {
    const { peer, clock, types } = await follow()
    peer.log.emit(line)
    await settle()
    expect(types()).toEqual(['snapshot', 'event'])
    expect(peer.asked).toEqual([0])
    peer.log.emit(line)
    await settle()
    expect(types()).toEqual(['event'])
    expect(await clock.step()).toBe(2_000)
    expect(types()).toEqual(['snapshot'])
  })

  it('waits longer and longer, with jitter, while nobody answers', async () => {
    const { peer, clock, arrivals } = await follow()
    peer.fail(new Error('no peer answers'))
    await settle()
    const waits: number[] = []
    for (let i = 0; i < 7; i += 1) waits.push(await clock.step())
    const expected = [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]
    for (const [index, wait] of waits.entries()) {
      expect(wait / (expected[index] ?? 0)).toBeGreaterThanOrEqual(0.75)
      expect(wait / (expected[index] ?? 0)).toBeLessThanOrEqual(1.25)
    }
    expect(new Set(waits.slice(-2)).size).toBe(2)
    expect(arrivals.at(-1)).toMatchObject({ type: 'disconnected', message: 'no peer answers' })
  })

  it('resumes after the last event it has seen', async () => {
    const { peer, clock, types } = await follow()
    await settle()
    for (let i = 0; i < 3; i += 1) peer.log.emit(line)
    await settle()
    peer.fail(new Error('gone'))
    await settle()
    expect(types()).toEqual(['snapshot', 'event', 'event', 'event', 'disconnected'])
    peer.recover()
    peer.status = { ...peer.status, sequence: 4 }
    peer.log.emit(line)
    await clock.step()
    expect(peer.asked).toEqual([0, 3])
    expect(types()).toEqual(['snapshot', 'event'])
  })

  it('begins anew with a peer that was restarted', async () => {
    const { peer, clock, types } = await follow()
    await settle()
    peer.log.emit(line)
    await settle()
    peer.recover(peer.status.startedAt + 1)
    peer.log.emit(line)
    types()
    await clock.step()
    expect(peer.asked).toEqual([0, 0])
    expect(types()).toEqual(['snapshot', 'snapshot', 'event'])
  })

  it('ends when it is aborted, and leaves no timer behind', async () => {
    const { clock, end, done } = await follow()
    await settle()
    end.abort()
    await expect(done).resolves.toBeUndefined()
    expect(clock.sleeps).toEqual([])
  })
})
