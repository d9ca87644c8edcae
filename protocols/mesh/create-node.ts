import { noise } from '@chainsafe/libp2p-noise'
import { type GossipSub, gossipsub } from '@libp2p/gossipsub'
import { type Identify, identify } from '@libp2p/identify'
import { type Ping, ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p, type Libp2p } from 'libp2p'
import { packageVersion, sha256 } from '#base'
import type { Identity } from './identity.ts'
import type { TrafficMeter } from './traffic.ts'

/** The services of our libp2p node. A type and not an interface, as libp2p's service map wants. */
export type MeshServices = {
  readonly identify: Identify
  readonly ping: Ping
  readonly pubsub: GossipSub
}

export interface NodeSettings {
  readonly identity: Identity
  readonly topic: string
  readonly listen: readonly string[]
  readonly announce: readonly string[]
  readonly maxConnections: number
  readonly isMember: (peerId: string) => boolean
  readonly meter: TrafficMeter
}

const MEBIBYTE = 1024 * 1024

/**
 * libp2p, with those defaults changed that lose fleets in ordinary conditions. Each was seen to
 * fail before it was changed.
 */
export function createNode(settings: NodeSettings): Promise<Libp2p<MeshServices>> {
  return createLibp2p<MeshServices>({
    privateKey: settings.identity.privateKey,
    start: false,
    nodeInfo: { name: 'cotune', version: packageVersion() },
    addresses: { listen: [...settings.listen], announce: [...settings.announce] },
    metrics: () => settings.meter.asMetrics(),
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [
      // A paused stream must be able to hold what its window lets the peer send: with the defaults
      // (window up to 16 MiB, buffer 4 MiB) back-pressure itself resets the stream.
      yamux({
        streamOptions: {
          maxStreamWindowSize: 4 * MEBIBYTE,
          maxReadBufferLength: 8 * MEBIBYTE,
        },
      }),
    ],
    // Pings that wait behind bulk bytes on a slow uplink time out, and the monitor then aborts the
    // whole connection: 3 MB over 1 Mbit/s never arrived. Liveness is ours: no byte for a minute.
    connectionMonitor: { enabled: false },
    connectionManager: {
      // 300 by default, fewer than a cloud peer's devices.
      maxConnections: settings.maxConnections,
      // 10 by default: 40 idle sockets kept every honest peer out.
      maxIncomingPendingConnections: 200,
      // 5 a second by default, which a fleet behind one router exceeds when it comes back.
      inboundConnectionThreshold: 1_000,
      // libp2p's redials stop for good after five; ours are the supervisor's.
      reconnectRetries: 0,
    },
    services: {
      identify: identify(),
      ping: ping(),
      pubsub: gossipsub(gossipSettings(settings)),
    },
  })
}

function gossipSettings(settings: NodeSettings) {
  const topicScore = {
    ...neutralTopicScore,
    topicWeight: 1,
    // By default invalid messages cost nothing.
    invalidMessageDeliveriesWeight: -50,
    invalidMessageDeliveriesDecay: 0.9,
  }
  return {
    allowedTopics: [settings.topic],
    emitSelf: false,
    globalSignaturePolicy: 'StrictSign' as const,
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    // Addresses come from the cloud peer's list of members, never from gossip.
    doPX: false,
    // One id a content: a message repeated by its author does not travel again while it is
    // remembered.
    msgIdFn: (message: { readonly topic: string; readonly data: Uint8Array }) =>
      sha256(message.topic, '\0', message.data),
    // A message over the receiver's limit ends gossip between two peers for good while their
    // connection stays open. Ours are at most 4 KiB (checked before publishing), so nothing near
    // the limit is ever sent.
    maxInboundDataLength: 64 * 1024,
    // Outbound gossip has neither back-pressure nor a cap of its own.
    maxOutboundBufferSize: MEBIBYTE,
    scoreParams: {
      // By default more than ten peers behind one address (an office, a home) get nothing.
      // Membership is signed instead.
      IPColocationFactorWeight: 0,
      // Strangers stand between two thresholds: nothing is sent to them (below -50), but that they
      // subscribe is noted (above -80), since a device that joins on this connection says so only
      // once, before. Their messages are refused by the validator, and one such message puts them
      // below the graylist threshold, where all is dropped unread.
      appSpecificScore: (peerId: string) => (settings.isMember(peerId) ? 0 : -60),
      appSpecificWeight: 1,
      topics: { [settings.topic]: topicScore },
    },
  }
}

/**
 * Announcements are few: who passes on none has done nothing wrong, so that no part of the score
 * may need traffic.
 */
const neutralTopicScore = {
  timeInMeshWeight: 0,
  timeInMeshQuantum: 1_000,
  timeInMeshCap: 1,
  firstMessageDeliveriesWeight: 0,
  firstMessageDeliveriesDecay: 0.5,
  firstMessageDeliveriesCap: 1,
  meshMessageDeliveriesWeight: 0,
  meshMessageDeliveriesDecay: 0.5,
  meshMessageDeliveriesCap: 1,
  meshMessageDeliveriesThreshold: 1,
  meshMessageDeliveriesWindow: 10,
  meshMessageDeliveriesActivation: 1_000,
  meshFailurePenaltyWeight: 0,
  meshFailurePenaltyDecay: 0.5,
}
