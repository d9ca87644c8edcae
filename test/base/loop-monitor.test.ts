import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import { LoopMonitor } from '#base'

let monitor: LoopMonitor
afterEach(() => monitor.stop())

function block(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

it('notices that the event loop was held up, and by how much at least', async () => {
  monitor = new LoopMonitor()
  await monitor.start()
  expect(monitor.worstMs).toBe(0)
  await delay(50)
  block(400)
  // Less than 400 by the one sample that was due when it began.
  while (monitor.worstMs < 380) await delay(20)
})

it('forgets what happened before its window', async () => {
  monitor = new LoopMonitor({ sliceMs: 50 })
  await monitor.start()
  // Again, should this process have been held up for so long that it was forgotten before anybody looked.
  while (monitor.worstMs < 380) {
    block(400)
    await delay(20)
  }
  while (monitor.worstMs >= 380) await delay(20)
})
