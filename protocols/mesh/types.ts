import type { Clock } from '#base'
import type { Framed } from '#protocols/messages'
import type { Identity } from './identity.ts'

/** What a stream protocol is, for both of its sides. */
export interface StreamProtocol {
  /** For example `/cotune/join/1`. */
  readonly id: string
  /** `anyone` is for joining only; every other protocol refuses who is not a member. */
  readonly access: 'members' | 'anyone'
  readonly maxFrameBytes: number
  /** Longest wait for one frame. */
  readonly timeoutMs?: number
  /** Streams at a time from one peer. */
  readonly maxInboundStreams?: number
}

/** A stream that a peer opened. */
export interface StreamCall {
  readonly peerId: string
  readonly stream: Framed
  /** Aborted when this node stops. */
  readonly signal: AbortSignal
}

/**
 * Answers one stream; it is closed afterwards. What it throws aborts the stream and is told as a
 * `refused` event, no more.
 */
export type StreamHandler = (call: StreamCall) => Promise<void>

/**
 * `reject` blames the peer that passed the message on, `ignore` does not; neither lets it travel
 * further.
 */
export type Verdict = 'accept' | 'reject' | 'ignore'

/** Judges a gossiped message, and takes it if good. What it throws counts as `reject`. */
export type GossipValidator = (message: Uint8Array, from: string) => Verdict | Promise<Verdict>

export type MeshEvent =
  | { readonly type: 'connected'; readonly peerId: string; readonly direction: 'in' | 'out' }
  | { readonly type: 'disconnected'; readonly peerId: string }
  | { readonly type: 'rtt'; readonly peerId: string; readonly rttMs: number }
  | {
      readonly type: 'dial-failed'
      readonly peerId: string
      readonly attempt: number
      readonly reason: string
    }
  /** A peer's input was refused: `code` says why. */
  | {
      readonly type: 'refused'
      readonly peerId: string
      readonly what: string
      readonly code: string
      readonly reason: string
    }

/** A peer we are connected to. */
export interface PeerLink {
  readonly peerId: string
  readonly direction: 'in' | 'out'
  readonly address: string
  /** Milliseconds since the epoch. */
  readonly since: number
  readonly member: boolean
  /** The last measured round trip. */
  readonly rttMs: number | undefined
}

export interface MeshComponents {
  readonly identity: Identity
  readonly clock?: Clock
}

export interface MeshInit {
  /** The run whose topic this node gossips on. */
  readonly runId: string
  /** Whether a peer belongs to the run; asked for every stream and every gossiped message. */
  readonly isMember: (peerId: string) => boolean
  /** Multiaddrs to listen on; any free TCP port of every interface unless told. */
  readonly listen?: readonly string[]
  /** Multiaddrs to tell others instead of those listened on: for a port forwarded by a router. */
  readonly announce?: readonly string[]
  readonly onEvent?: (event: MeshEvent) => void
  readonly maxConnections?: number
  /** Streams a minute that strangers may open, all together from one address. */
  readonly strangerStreamsPerMinute?: number
  /** How long a stranger may stay connected without joining. */
  readonly strangerStayMs?: number
  readonly pingIntervalMs?: number
  /** Without a byte for so long, a connection counts as dead. */
  readonly deadAfterMs?: number
  /** The first and the longest pause between two dials of a peer to be kept. */
  readonly redialMinMs?: number
  readonly redialMaxMs?: number
}
