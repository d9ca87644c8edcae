import { TopicValidatorResult } from '@libp2p/gossipsub'
import type { Connection, PeerId, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { Libp2p } from 'libp2p'
import { type Clock, CotuneError, type Startable, systemClock } from '#base'
import { type Framed, framed, LIMITS } from '#protocols/messages'
import { createNode, type MeshServices } from './create-node.ts'
import type { Identity } from './identity.ts'
import { LinkWatch } from './link-watch.ts'
import { RateLimit } from './rate-limit.ts'
import { refusal, StreamGate } from './stream-gate.ts'
import { Supervisor } from './supervisor.ts'
import { type Traffic, TrafficMeter } from './traffic.ts'
import type {
  GossipValidator,
  MeshComponents,
  MeshEvent,
  MeshInit,
  PeerLink,
  StreamHandler,
  StreamProtocol,
} from './types.ts'

const DIAL_TIMEOUT_MS = 10_000
const STOP_TIMEOUT_MS = 5_000
const VERDICTS = {
  accept: TopicValidatorResult.Accept,
  reject: TopicValidatorResult.Reject,
  ignore: TopicValidatorResult.Ignore,
} as const

/** The topic of a run's announcements. */
export function announcementTopic(runId: string): string {
  return `/cotune/${runId}/announce/1`
}

/**
 * A peer of the mesh: encrypted streams to members, gossip on the run's topic, connections that
 * come back. Nothing that a peer sends throws out of it.
 */
export class MeshNode implements Startable {
  readonly #identity: Identity
  readonly #clock: Clock
  readonly #init: MeshInit
  readonly #topic: string
  readonly #handlers: { readonly protocol: StreamProtocol; readonly handler: StreamHandler }[] = []
  readonly #gate: StreamGate
  readonly #meter: TrafficMeter
  readonly #supervisor: Supervisor
  #stopping = new AbortController()
  #validator: GossipValidator = () => 'ignore'
  #node: Libp2p<MeshServices> | undefined
  #watch: LinkWatch | undefined

  constructor(components: MeshComponents, init: MeshInit) {
    this.#identity = components.identity
    this.#clock = components.clock ?? systemClock
    this.#init = init
    this.#topic = announcementTopic(init.runId)
    const now = () => this.#clock.now()
    const perMinute = init.strangerStreamsPerMinute ?? 30
    this.#gate = new StreamGate({
      isMember: init.isMember,
      strangers: new RateLimit({ perMinute, burst: perMinute, now }),
      onEvent: (event) => this.#emit(event),
    })
    this.#meter = new TrafficMeter(
      (stream) => this.#connectionOf(stream)?.remotePeer.toString(),
      now,
    )
    this.#supervisor = new Supervisor(
      {
        clock: this.#clock,
        dial: (peerId, addresses, signal) => this.connect(peerId, addresses, signal),
        isConnected: (peerId) => this.isConnected(peerId),
      },
      {
        minMs: init.redialMinMs ?? 1_000,
        maxMs: init.redialMaxMs ?? 15_000,
        onFailure: (peerId, attempt, reason) =>
          this.#emit({ type: 'dial-failed', peerId, attempt, reason }),
      },
    )
  }

  get peerId(): string {
    return this.#identity.peerId
  }

  /** Starts listening. @throws MESH_LISTEN when an address cannot be listened on */
  async start(): Promise<void> {
    if (this.#node) return
    this.#stopping = new AbortController()
    const node = await createNode({
      identity: this.#identity,
      topic: this.#topic,
      listen: this.#init.listen ?? ['/ip4/0.0.0.0/tcp/0'],
      announce: this.#init.announce ?? [],
      maxConnections: this.#init.maxConnections ?? 3_000,
      isMember: this.#init.isMember,
      meter: this.#meter,
    })
    this.#node = node
    this.#listenToNode(node)
    for (const { protocol, handler } of this.#handlers) await this.#register(protocol, handler)
    try {
      await node.start()
    } catch (cause) {
      this.#node = undefined
      throw listenError(this.#init.listen ?? [], cause)
    }
    node.services.pubsub.topicValidators.set(this.#topic, (source, message) =>
      this.#judge(source, message.data),
    )
    node.services.pubsub.subscribe(this.#topic)
    this.#watch = new LinkWatch(node, this.#meter, this.#clock, {
      isMember: this.#init.isMember,
      pingIntervalMs: this.#init.pingIntervalMs ?? 10_000,
      deadAfterMs: this.#init.deadAfterMs ?? 60_000,
      strangerStayMs: this.#init.strangerStayMs ?? 30_000,
      onRtt: (peerId, rttMs) => this.#emit({ type: 'rtt', peerId, rttMs }),
    })
    await this.#watch.start()
    await this.#supervisor.start()
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the node stops'))
    await this.#supervisor.stop()
    await this.#watch?.stop()
    const node = this.#node
    this.#node = undefined
    if (!node) return
    // A peer that does not answer must not hold our exit.
    const patience = new AbortController()
    const waited = this.#clock.sleep(STOP_TIMEOUT_MS, patience.signal).catch(() => undefined)
    await Promise.race([node.stop(), waited])
    patience.abort()
  }

  /** What others dial: multiaddrs that end in /p2p/ and our peer id. */
  addresses(): readonly string[] {
    return this.#running().getMultiaddrs().map(String)
  }

  /** Where a peer that we have met says it listens; the dialled address first. */
  async addressesOf(peerId: string): Promise<readonly string[]> {
    const peer = await this.#running()
      .peerStore.get(peerIdFromString(peerId))
      .catch(() => undefined)
    const addresses = (peer?.addresses ?? []).map(({ multiaddr: address }) =>
      withPeerId(String(address), peerId),
    )
    return addresses.slice(0, LIMITS.addresses)
  }

  /** Serves `protocol`; callable before and after `start`. */
  async handle(protocol: StreamProtocol, handler: StreamHandler): Promise<void> {
    this.#handlers.push({ protocol, handler })
    if (this.#node) await this.#register(protocol, handler)
  }

  /**
   * A stream to `peerId`, which must be connected or known by address.
   * @throws MESH_UNREACHABLE
   */
  async open(peerId: string, protocol: StreamProtocol, signal?: AbortSignal): Promise<Framed> {
    const timeout = AbortSignal.timeout(protocol.timeoutMs ?? DIAL_TIMEOUT_MS)
    try {
      const stream = await this.#running().dialProtocol(peerIdFromString(peerId), protocol.id, {
        signal: signal ? AbortSignal.any([timeout, signal]) : timeout,
      })
      return framed(stream, protocol)
    } catch (cause) {
      signal?.throwIfAborted()
      throw unreachable(peerId, cause)
    }
  }

  /** Connects once. The peer id is checked by the handshake. @throws MESH_UNREACHABLE */
  async connect(peerId: string, addresses: readonly string[], signal?: AbortSignal): Promise<void> {
    const timeout = AbortSignal.timeout(DIAL_TIMEOUT_MS)
    try {
      await this.#running().dial(
        addresses.map((address) => multiaddr(withPeerId(address, peerId))),
        { signal: signal ? AbortSignal.any([timeout, signal]) : timeout },
      )
    } catch (cause) {
      throw unreachable(peerId, cause)
    }
  }

  /** Connects to `peerId` and comes back to it for ever, with growing pauses. */
  keep(peerId: string, addresses: readonly string[]): void {
    this.#supervisor.keep(peerId, addresses)
  }

  /** Ends `keep`; a connection that stands may stay. */
  forget(peerId: string): void {
    this.#supervisor.forget(peerId)
  }

  kept(): readonly string[] {
    return this.#supervisor.kept()
  }

  /** Closes the connections to a peer: revoked, or to be met afresh. */
  async disconnect(peerId: string): Promise<void> {
    await this.#running().hangUp(peerIdFromString(peerId), { signal: AbortSignal.timeout(2_000) })
  }

  isConnected(peerId: string): boolean {
    return this.links().some((link) => link.peerId === peerId)
  }

  /** Peers we are connected to now, one entry a peer. */
  links(): readonly PeerLink[] {
    const links = new Map<string, PeerLink>()
    for (const connection of this.#node?.getConnections() ?? []) {
      if (connection.status !== 'open') continue
      const peerId = connection.remotePeer.toString()
      links.set(peerId, {
        peerId,
        direction: directionOf(connection),
        address: connection.remoteAddr.toString(),
        since: connection.timeline.open,
        member: this.#init.isMember(peerId),
        rttMs: this.#watch?.rttMs(peerId),
      })
    }
    return [...links.values()]
  }

  /** Gossips to the run's members. Never relied on alone. @throws PROTOCOL_OVERSIZE */
  async publish(message: Uint8Array): Promise<void> {
    if (message.length > LIMITS.announcementBytes) {
      throw new CotuneError('PROTOCOL_OVERSIZE', `An announcement of ${message.length} bytes.`, {
        hint: `Announcements have at most ${LIMITS.announcementBytes} bytes; send data by stream.`,
        data: { sizeBytes: message.length, maxBytes: LIMITS.announcementBytes },
      })
    }
    await this.#running().services.pubsub.publish(this.#topic, message)
  }

  /** Sets who judges and takes gossiped messages. */
  subscribe(validator: GossipValidator): void {
    this.#validator = validator
  }

  traffic(): Traffic {
    return this.#meter.read()
  }

  #running(): Libp2p<MeshServices> {
    if (this.#node) return this.#node
    throw new CotuneError('MESH_STOPPED', 'The mesh node is not running.', {
      hint: 'Start the peer first.',
    })
  }

  #listenToNode(node: Libp2p<MeshServices>): void {
    node.addEventListener('connection:open', ({ detail }) =>
      this.#meter.touch(detail.remotePeer.toString()),
    )
    node.addEventListener('peer:connect', ({ detail }) => {
      const peerId = detail.toString()
      const connection = node.getConnections(detail)[0]
      const direction = connection ? directionOf(connection) : 'in'
      this.#emit({ type: 'connected', peerId, direction })
      if (!this.#init.isMember(peerId)) return
      // Past maxConnections libp2p closes the connections of least value: strangers' first.
      const tags = { 'cotune-member': { value: 100 } }
      node.peerStore.merge(detail, { tags }).catch(() => undefined)
    })
    node.addEventListener('peer:disconnect', ({ detail }) => {
      const peerId = detail.toString()
      this.#emit({ type: 'disconnected', peerId })
      if (!this.#init.isMember(peerId)) this.#meter.forget(peerId)
      this.#supervisor.nudge(peerId)
    })
  }

  async #register(protocol: StreamProtocol, handler: StreamHandler): Promise<void> {
    await this.#running().handle(
      protocol.id,
      (stream, connection) => {
        // The stream's listeners must be in place before anything is awaited, else its first bytes
        // are lost.
        const frames = framed(stream, protocol)
        const { signal } = this.#stopping
        void this.#gate.serve(protocol, handler, frames, connection, signal)
      },
      { maxInboundStreams: protocol.maxInboundStreams ?? 8, maxOutboundStreams: 64 },
    )
  }

  async #judge(source: PeerId, message: Uint8Array): Promise<TopicValidatorResult> {
    const from = source.toString()
    if (!this.#init.isMember(from) || message.length > LIMITS.announcementBytes) {
      return TopicValidatorResult.Reject
    }
    try {
      return VERDICTS[await this.#validator(message, from)]
    } catch (error) {
      this.#emit(refusal(from, 'gossip', error))
      return TopicValidatorResult.Reject
    }
  }

  #connectionOf(stream: Stream): Connection | undefined {
    return this.#node?.getConnections().find((connection) => connection.streams.includes(stream))
  }

  #emit(event: MeshEvent): void {
    try {
      this.#init.onEvent?.(event)
    } catch {
      // Events come out of libp2p's own listeners, where a throw would end the process: a listener
      // whose store is closed already, say, must not.
    }
  }
}

function directionOf(connection: Connection): 'in' | 'out' {
  return connection.direction === 'inbound' ? 'in' : 'out'
}

/** Addresses are hints of others; whom we mean is ours to say. */
function withPeerId(address: string, peerId: string): string {
  return `${address.replace(/\/p2p\/[^/]+$/, '')}/p2p/${peerId}`
}

function unreachable(peerId: string, cause: unknown): CotuneError {
  return new CotuneError('MESH_UNREACHABLE', `${peerId} cannot be reached.`, {
    hint: 'Check that it runs, that its address is right, and that no firewall is between.',
    cause,
    data: { peerId },
  })
}

function listenError(addresses: readonly string[], cause: unknown): CotuneError {
  return new CotuneError('MESH_LISTEN', `Cannot listen on ${addresses.join(', ')}.`, {
    hint: 'The port is taken or the address is not of another machine; choose another in the configuration.',
    cause,
    data: { addresses },
  })
}
