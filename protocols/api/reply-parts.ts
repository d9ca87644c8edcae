import type { IncomingMessage, ServerResponse } from 'node:http'
import { EVENT_STREAM_HEADERS } from './event-stream.ts'
import type { ReplyPart, Route } from './types.ts'

/** Whether the caller asked for the reply in parts. */
export function acceptsParts({ headers }: IncomingMessage): boolean {
  return headers.accept?.includes('text/event-stream') === true
}

/**
 * Sends one part, and with the first the head of the response. It never waits: what a slow reader has not taken stays in memory, at
 * most one reply. A reader that has gone is sent nothing.
 */
export function sendPart<R extends Route>(response: ServerResponse, part: ReplyPart<R>): void {
  if (response.destroyed || response.writableEnded) return
  if (!response.headersSent) response.writeHead(200, EVENT_STREAM_HEADERS)
  response.write(`data: ${JSON.stringify(part)}\n\n`)
  if (!('piece' in part)) response.end()
}
