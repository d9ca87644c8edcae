import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseServerSentEvents } from '../../../protocols/api/sse-parser.ts'

it('finds the same events wherever the bytes were cut', async () => {
  const text =
    ': hi\n\nid: a:1\ndata: {"x":"东京"}\n\n: heartbeat\n\nid: a:2\ndata: one\ndata: two\n\nid: a:3\ndata: cut'
  const bytes = new TextEncoder().encode(text)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 8 }), async (cuts) => {
      const edges = [0, ...cuts.sort((a, b) => a - b), bytes.length]
      async function* chunks() {
        for (let i = 1; i < edges.length; i++) yield bytes.subarray(edges[i - 1], edges[i])
      }
      const events = []
      for await (const event of parseServerSentEvents(chunks())) events.push(event)
      expect(events).toEqual([
        { id: 'a:1', data: '{"x":"东京"}' },
        { id: 'a:2', data: 'one\ntwo' },
      ])
    }),
  )
})
