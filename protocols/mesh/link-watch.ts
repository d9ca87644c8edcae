import type { Connection } from '@libp2p/interface'
import type { Libp2p } from 'libp2p'
import type { Clock, Startable } from '#base'
import type { MeshServices } from './create-node.ts'
import type { TrafficMeter } from './traffic.ts'

export interface LinkWatchInit {
  readonly isMember: (peerId: string) => boolean
  readonly pingIntervalMs: number
  readonly deadAfterMs: number
  readonly strangerStayMs: number
  readonly onRtt: (peerId: string, rttMs: number) => void
}

/**
 * Looks at every connection now and then: measures round trips, and ends those that are dead, deaf
 * or a stranger's.
 */
export class LinkWatch implements Startable {
  readonly #node: Libp2p<MeshServices>
  readonly #meter: TrafficMeter
  readonly #clock: Clock
  readonly #init: LinkWatchInit
  readonly #rttMs = new Map<string, number>()
  /** Members without a gossip stream, and since when. */
  readonly #deaf = new Map<string, number>()
  #stopping = new AbortController()
  #timer: NodeJS.Timeout | undefined

  constructor(node: Libp2p<MeshServices>, meter: TrafficMeter, clock: Clock, init: LinkWatchInit) {
    this.#node = node
    this.#meter = meter
    this.#clock = clock
    this.#init = init
  }

  async start(): Promise<void> {
    if (this.#timer) return
    this.#stopping = new AbortController()
    this.#node.addEventListener('peer:identify', this.#onMet)
    this.#node.addEventListener('peer:disconnect', this.#onGone)
    this.#timer = setInterval(() => this.#look(), this.#init.pingIntervalMs)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#stopping.abort()
    this.#node.removeEventListener('peer:identify', this.#onMet)
    this.#node.removeEventListener('peer:disconnect', this.#onGone)
  }

  rttMs(peerId: string): number | undefined {
    return this.#rttMs.get(peerId)
  }

  readonly #onMet = ({
    detail,
  }: {
    readonly detail: { readonly connection: Connection }
  }): void => {
    void this.#ping(detail.connection)
  }

  readonly #onGone = ({ detail }: { readonly detail: { toString(): string } }): void => {
    this.#rttMs.delete(detail.toString())
    this.#deaf.delete(detail.toString())
  }

  #look(): void {
    for (const connection of this.#node.getConnections()) {
      const reason = this.#faultOf(connection)
      if (reason) connection.abort(new Error(reason))
      else void this.#ping(connection)
    }
  }

  #faultOf(connection: Connection): string | undefined {
    const { isMember, deadAfterMs, strangerStayMs } = this.#init
    const peerId = connection.remotePeer.toString()
    const now = this.#clock.now()
    if (now - (this.#meter.lastDownAt(peerId) ?? now) > deadAfterMs) return 'no byte for too long'
    if (!isMember(peerId)) {
      return Date.now() - connection.timeline.open > strangerStayMs ? 'a stranger' : undefined
    }
    // A gossip stream may end while its connection stays; then nothing is ever heard again. A new
    // connection heals it.
    if (this.#hears(peerId)) {
      this.#deaf.delete(peerId)
      return undefined
    }
    const since = this.#deaf.get(peerId) ?? now
    this.#deaf.set(peerId, since)
    return now - since > 10_000 ? 'no gossip stream' : undefined
  }

  #hears(peerId: string): boolean {
    return this.#node.services.pubsub.getPeers().some((peer) => peer.toString() === peerId)
  }

  /** A late answer is no fault: on a slow link pings wait behind bulk. */
  async #ping(connection: Connection): Promise<void> {
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(10_000)])
    try {
      const rttMs = await this.#node.services.ping.ping(connection.remotePeer, { signal })
      this.#rttMs.set(connection.remotePeer.toString(), rttMs)
      this.#init.onRtt(connection.remotePeer.toString(), rttMs)
    } catch {
      // Silence is judged by its length, above.
    }
  }
}
