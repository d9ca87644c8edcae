import type { Numbered } from '#base'
import type { PeerEvent, Status } from '#protocols/api'

/** The part of the local API's client that the screens need; `createApiClient` of `#protocols/api` gives one. */
export interface TuiClient {
  call(route: 'GET /v1/status'): Promise<Status>
  /** The events after a sequence number: those still held, then those to come. Ends or throws when the peer goes away. */
  events(after: number, signal: AbortSignal): AsyncIterable<Numbered<PeerEvent>>
}
