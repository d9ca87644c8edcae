import type { Numbered } from '#base'
import type { PeerEvent, Status } from '#protocols/api'

/** The part of the local API's client that the screens need; `createApiClient` of `#protocols/api` gives one. */
export interface TuiClient {
  call(route: 'GET /v1/status', request: undefined, signal?: AbortSignal): Promise<Status>
  /**
   * The events after a sequence number: those still held, then those to come. When the peer goes away it may end, throw, or
   * reconnect by itself.
   */
  events(after: number, signal: AbortSignal): AsyncIterable<Numbered<PeerEvent>>
}
