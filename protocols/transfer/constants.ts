import type { StreamProtocol } from '#protocols/mesh'
import { LIMITS } from '#protocols/messages'

/** Requests and answers in turn on one stream: manifest, bitmap, chunks. */
export const BLOB_PROTOCOL: StreamProtocol = {
  id: '/cotune/blob/1',
  access: 'members',
  maxFrameBytes: LIMITS.chunkFrameBytes,
  timeoutMs: 30_000,
  maxInboundStreams: 4,
}
