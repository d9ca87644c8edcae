import { threadId } from 'node:worker_threads'
import { afterAll, afterEach, expect, it, vi } from 'vitest'
import { CotuneError, EXIT, WorkerHost, workerEntry } from '#base'
import type { TrialMethods } from './trial-worker.ts'

const entry = workerEntry('trial-worker', import.meta.url)
const host = new WorkerHost<TrialMethods>({
  entry,
  name: 'a trial',
  data: { seed: 7 },
  resourceLimits: { maxOldGenerationSizeMb: 64 },
})
afterAll(() => host.close())
afterEach(() => vi.unstubAllEnvs())

it('calls methods in another thread, which has its data and the environment of the process', async () => {
  vi.stubEnv('COTUNE_TRIAL', 'yes')
  const where = await host.call('where', undefined)
  expect(where).toMatchObject({ data: { seed: 7 }, seen: 'yes' })
  expect(where.threadId).not.toBe(threadId)
})

it('moves large arrays there and back without a copy', async () => {
  const values = new Float32Array(100_000).fill(1.5)
  const result = await host.call('double', { values })
  expect(values.length).toBe(0)
  expect(result.values.length).toBe(100_000)
  expect(result.values[99_999]).toBe(3)
})

it('lets a method fetch items and tell of progress', async () => {
  const told: number[] = []
  const source = [1, 2, 3].values()
  const items = { [Symbol.asyncIterator]: () => ({ next: async () => source.next() }) }
  const onEvent = (sum: number) => told.push(sum)
  expect(await host.call('sum', 10, { source: items, onEvent })).toBe(16)
  expect(told).toEqual([11, 13, 16])
})

it('throws what a source throws, and ends it', async () => {
  const broken = new CotuneError('TRIAL_SOURCE', 'no more', { hint: 'none' })
  const ended = vi.fn()
  async function* failing() {
    try {
      yield 1
      throw broken
    } finally {
      ended()
    }
  }
  await expect(host.call('sum', 0, { source: failing() })).rejects.toBe(broken)
  expect(ended).toHaveBeenCalled()
  expect(await host.call('sum', 5, {})).toBe(5)
})

it('makes errors of the worker again, typed ones with all they carry', async () => {
  const typed = await host.call('refuse', undefined).catch((error: unknown) => error)
  expect(typed).toBeInstanceOf(CotuneError)
  expect(typed).toMatchObject({
    code: 'TRIAL_REFUSED',
    message: 'no',
    hint: 'ask again',
    data: { row: 3 },
    exit: EXIT.data,
    stack: expect.stringContaining('trial-worker'),
    cause: { message: 'outer', cause: { message: 'inner' } },
  })
  await expect(host.call('fail', undefined)).rejects.toThrow('a mistake')
})

it("cancels a call by its signal, whose reason the caller gets; others' calls go on", async () => {
  const begun = Promise.withResolvers<void>()
  const controller = new AbortController()
  const call = host.call('untilCancelled', undefined, {
    signal: controller.signal,
    onEvent: () => begun.resolve(),
  })
  await begun.promise
  expect(await host.call('sum', 1)).toBe(1)
  const reason = new Error('changed my mind')
  controller.abort(reason)
  await expect(call).rejects.toBe(reason)
  await expect(host.call('sum', 1, { signal: controller.signal })).rejects.toBe(reason)
})

it('leaves this thread free while the worker is held up', async () => {
  const shared = new Int32Array(new SharedArrayBuffer(4))
  const blocked = host.call('block', { shared, count: 5 })
  // Timers of this thread are what the worker waits for: were it this thread's work, it would never end.
  const timer = setInterval(() => Atomics.notify(shared, 0, Atomics.add(shared, 0, 1)), 1)
  expect(await blocked).toBeGreaterThanOrEqual(5)
  clearInterval(timer)
})

it.each([
  ['crash', 'WORKER_CRASHED', /a trial ended: out of the blue/],
  ['exhaust', 'WORKER_OUT_OF_MEMORY', /ran out of memory/],
] as const)(
  'survives a worker after %s: the next call has a new one',
  async (method, code, message) => {
    const { threadId: before } = await host.call('where', undefined)
    const other = host.call('untilCancelled', undefined)
    const expectation = expect(other).rejects.toMatchObject({ code })
    await expect(host.call(method, undefined)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    })
    await expectation
    const { threadId: after } = await host.call('where', undefined)
    expect(after).not.toBe(before)
  },
)

it('fails what is under way when it is closed', async () => {
  const call = host.call('untilCancelled', undefined)
  const expectation = expect(call).rejects.toMatchObject({ code: 'WORKER_CRASHED' })
  await host.close()
  await expectation
})
