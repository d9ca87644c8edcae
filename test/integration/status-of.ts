import type { Status } from '#protocols/api'
import type { ChildPeer } from '../../cli/mesh/child-peer.ts'

export function statusOf(peer: ChildPeer, signal: AbortSignal): Promise<Status> {
  return peer.client.call('GET /v1/status', undefined, signal)
}
