import { setTimeout as delay } from 'node:timers/promises'
import type { Libp2p } from 'libp2p'
import { encode } from 'uint8-varint'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { utf8 } from '#base'
import { framed } from '#protocols/messages'
import { libp2pPair, openPair } from '../support/stream-pair.ts'

describe('framed', () => {
  let a: Libp2p
  let b: Libp2p
  let stop: () => Promise<void>
  beforeAll(async () => {
    ;({ a, b, stop } = await libp2pPair())
  })
  afterAll(() => stop())

  it('delivers frames in order, empty ones included, then the end', async () => {
    const { near, far } = await openPair(a, b)
    const out = framed(near, { maxFrameBytes: 100 })
    const incoming = framed(far, { maxFrameBytes: 100 })
    for (const text of ['one', '', 'three']) await out.write(utf8(text))
    await out.close()
    const read = []
    for (let i = 0; i < 3; i++) read.push(Buffer.from((await incoming.read())!).toString())
    expect(read).toEqual(['one', '', 'three'])
    expect(await incoming.read()).toBeUndefined()
  })

  it('holds little for a slow reader, and delivers all', async () => {
    const { near, far } = await openPair(a, b)
    const frameBytes = 64 * 1024
    const frames = 300
    const out = framed(near, { maxFrameBytes: frameBytes })
    const incoming = framed(far, { maxFrameBytes: frameBytes })
    let peak = 0
    const writing = (async () => {
      for (let i = 0; i < frames; i++) {
        await out.write(new Uint8Array(frameBytes).fill(i))
        peak = Math.max(peak, near.writeBufferLength)
      }
      await out.close()
    })()
    await delay(300)
    let peakFar = 0
    for (let i = 0; i < frames; i++) {
      if (i % 50 === 0) await delay(30)
      const frame = await incoming.read()
      peakFar = Math.max(peakFar, far.readBufferLength)
      expect(frame?.length).toBe(frameBytes)
      expect(frame?.[7]).toBe(i & 255)
    }
    await writing
    expect(await incoming.read()).toBeUndefined()
    expect(peak).toBeLessThan(2 << 20)
    expect(peakFar).toBeLessThanOrEqual(8 << 20)
  })

  it('refuses a frame that claims too much, before it arrives', async () => {
    const { near, far } = await openPair(a, b)
    near.send(encode(5_000_000))
    const incoming = framed(far, { maxFrameBytes: 1_000 })
    await expect(incoming.read()).rejects.toMatchObject({ code: 'PROTOCOL_OVERSIZE' })
    expect(far.status).toBe('aborted')
  })

  it('refuses a length that is no short varint', async () => {
    const { near, far } = await openPair(a, b)
    near.send(new Uint8Array(8).fill(0xff))
    await expect(framed(far, { maxFrameBytes: 1_000 }).read()).rejects.toMatchObject({
      code: 'PROTOCOL_MALFORMED',
    })
  })

  it('tells a frame cut in half from a clean end', async () => {
    const { near, far } = await openPair(a, b)
    near.send(new Uint8Array([10, 1, 2, 3]))
    await near.close()
    await expect(framed(far, { maxFrameBytes: 1_000 }).read()).rejects.toMatchObject({
      code: 'PROTOCOL_TRUNCATED',
    })
  })

  it('gives up on silence', async () => {
    const { far } = await openPair(a, b)
    const incoming = framed(far, { maxFrameBytes: 1_000, timeoutMs: 50 })
    await expect(incoming.read()).rejects.toMatchObject({ code: 'PROTOCOL_TIMEOUT' })
  })

  it('gives up on a peer that takes nothing', async () => {
    const { near } = await openPair(a, b)
    const out = framed(near, { maxFrameBytes: 1 << 20, timeoutMs: 200 })
    const flood = async () => {
      for (let i = 0; i < 64; i++) await out.write(new Uint8Array(1 << 20))
    }
    await expect(flood()).rejects.toMatchObject({
      code: expect.stringMatching(/^PROTOCOL_(TIMEOUT|CLOSED)$/),
    })
  })

  it('ends a wait when aborted or reset', async () => {
    const { near, far } = await openPair(a, b)
    const controller = new AbortController()
    const waiting = framed(far, { maxFrameBytes: 1_000 }).read(controller.signal)
    controller.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')

    const other = await openPair(a, b)
    const reading = framed(other.far, { maxFrameBytes: 1_000 }).read()
    other.near.abort(new Error('gone'))
    await expect(reading).rejects.toMatchObject({ code: 'PROTOCOL_CLOSED' })
    near.abort(new Error('done'))
  })
})
