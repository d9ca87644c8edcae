import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { Wake } from '#base'

describe('Wake', () => {
  it('ends at a ring, one that came before included, at the time or at the abort, and leaves nothing behind', async () => {
    const wake = new Wake()
    const stopping = new AbortController()
    wake.ring()
    await wake.wait(60_000, stopping.signal)
    const waiting = wake.wait(60_000, stopping.signal)
    wake.ring()
    await waiting
    await wake.wait(1, stopping.signal)
    expect(getEventListeners(stopping.signal, 'abort')).toEqual([])
    const last = wake.wait(60_000, stopping.signal)
    stopping.abort()
    await last
    await wake.wait(60_000, stopping.signal)
  })
})
