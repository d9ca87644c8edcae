import type { ServerResponse } from 'node:http'
import type { EventLog } from '#base'
import type { PeerEvent } from './types.ts'

export const EVENT_STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
}

export interface EventStreamInit {
  readonly events: EventLog<PeerEvent>
  /** Names this run of the process: sequence numbers of another one mean nothing here. */
  readonly instance: string
  /** The reader's `Last-Event-ID`: `<instance>:<sequence>`, or a bare sequence. */
  readonly lastEventId: string | undefined
  readonly heartbeatMs: number
}

/**
 * Server-sent events from an event log. The log is the only buffer: a slow reader is written to as it drains, and sees a
 * gap in the sequence when it fell further behind than the log holds. Returns what ends the stream.
 */
export function streamEvents(response: ServerResponse, init: EventStreamInit): () => void {
  const { events, instance } = init
  let sent = resumeAt(init)
  let draining = false

  const pump = (): void => {
    if (draining || response.writableEnded) return
    for (const entry of events.since(sent)) {
      sent = entry.sequence
      const frame = `id: ${instance}:${entry.sequence}\ndata: ${JSON.stringify(entry)}\n\n`
      if (response.write(frame)) continue
      draining = true
      response.once('drain', () => {
        draining = false
        pump()
      })
      return
    }
  }

  response.writeHead(200, EVENT_STREAM_HEADERS)
  response.write(`: ${instance}\n\n`)
  const unsubscribe = events.subscribe(pump)
  const heartbeat = setInterval(() => {
    if (!draining) response.write(': heartbeat\n\n')
  }, init.heartbeatMs)
  heartbeat.unref()

  const end = (): void => {
    unsubscribe()
    clearInterval(heartbeat)
    response.end()
  }
  response.once('close', end)
  pump()
  return end
}

/** After a restart the numbers begin anew: a reader of the previous process gets all there is. */
function resumeAt({ events, instance, lastEventId = '' }: EventStreamInit): number {
  const match = /^(?:([0-9a-f]+):)?(\d{1,15})$/.exec(lastEventId.trim())
  if (match === null) return 0
  if (match[1] !== undefined && match[1] !== instance) return 0
  const after = Number(match[2])
  const newest = events.since(0).at(-1)?.sequence ?? 0
  return after > newest ? 0 : after
}
