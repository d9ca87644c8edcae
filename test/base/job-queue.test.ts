import { describe, expect, it } from 'vitest'
import { JobQueue } from '#base'

describe('JobQueue', () => {
  it('runs one job at a time, in order, and outlives one that throws', async () => {
    const queue = new JobQueue()
    const log: string[] = []
    const job = (name: string, fails = false) =>
      queue.run(name, async () => {
        log.push(`${queue.running} starts`)
        await new Promise((resolve) => setImmediate(resolve))
        log.push(`${name} ends`)
        if (fails) throw new Error(name)
        return name
      })
    const results = await Promise.allSettled([job('a', true), job('b')])
    expect(results.map((result) => result.status)).toEqual(['rejected', 'fulfilled'])
    expect(log).toEqual(['a starts', 'a ends', 'b starts', 'b ends'])
    expect(queue.running).toBeUndefined()
  })

  it('interrupts the running job and refuses the waiting ones when it stops', async () => {
    const queue = new JobQueue()
    const running = queue.run(
      'long',
      (signal) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    )
    const waiting = queue.run('later', async () => 'never')
    const settled = Promise.allSettled([running, waiting])
    await new Promise((resolve) => setImmediate(resolve))
    expect(queue.waiting).toBe(1)
    await queue.stop()
    for (const result of await settled) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'JOB_STOPPED' } })
    }
    await queue.start()
    expect(await queue.run('again', async () => 'ran')).toBe('ran')
  })

  it('passes over a job whose caller went away', async () => {
    const queue = new JobQueue()
    const caller = new AbortController()
    const first = queue.run('first', async () => 1)
    const second = queue.run('second', async () => 2, caller.signal)
    caller.abort(new Error('gone'))
    expect(await first).toBe(1)
    await expect(second).rejects.toThrow('gone')
  })
})
