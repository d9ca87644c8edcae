import type { Metrics, Stream } from '@libp2p/interface'

export interface Bytes {
  readonly up: number
  readonly down: number
}

/** Bytes of stream payload since the start; noise, yamux and TCP add about one per cent to bulk. */
export interface Traffic extends Bytes {
  readonly protocols: Readonly<Record<string, Bytes>>
  readonly peers: Readonly<Record<string, Bytes>>
}

interface Count {
  up: number
  down: number
}

/** Counts what every stream carries, ours and libp2p's own, a protocol and a peer. */
export class TrafficMeter {
  readonly #total: Count = { up: 0, down: 0 }
  readonly #protocols = new Map<string, Count>()
  readonly #peers = new Map<string, Count>()
  readonly #lastDown = new Map<string, number>()
  readonly #peerOf: (stream: Stream) => string | undefined
  readonly #now: () => number

  constructor(peerOf: (stream: Stream) => string | undefined, now: () => number) {
    this.#peerOf = peerOf
    this.#now = now
  }

  read(): Traffic {
    return {
      ...this.#total,
      protocols: Object.fromEntries([...this.#protocols].map(([id, count]) => [id, { ...count }])),
      peers: Object.fromEntries([...this.#peers].map(([id, count]) => [id, { ...count }])),
    }
  }

  /** When the last byte of `peerId` arrived; undefined if none has. */
  lastDownAt(peerId: string): number | undefined {
    return this.#lastDown.get(peerId)
  }

  /** Counting a connection's opening as a sign of life gives it a full grace period. */
  touch(peerId: string): void {
    this.#lastDown.set(peerId, this.#now())
  }

  /** Drops what is held about a peer: strangers come and go without end. */
  forget(peerId: string): void {
    this.#peers.delete(peerId)
    this.#lastDown.delete(peerId)
  }

  /**
   * Counts at `send` and at the dispatch of `message` events. Not by a listener of its own: libp2p
   * hands buffered data to the first listener, and the real one, which comes later, would miss it.
   */
  track(stream: Stream): void {
    const peerId = this.#peerOf(stream)
    const counts = [this.#total, countOf(this.#protocols, stream.protocol)]
    if (peerId !== undefined) counts.push(countOf(this.#peers, peerId))
    const send = stream.send.bind(stream)
    stream.send = (data) => {
      for (const count of counts) count.up += data.byteLength
      return send(data)
    }
    const dispatchEvent = stream.dispatchEvent.bind(stream)
    stream.dispatchEvent = (event: Event & { readonly data?: Uint8Array }) => {
      if (event.type === 'message') {
        for (const count of counts) count.down += event.data?.byteLength ?? 0
        if (peerId !== undefined) this.touch(peerId)
      }
      return dispatchEvent(event)
    }
  }

  /** libp2p's seam for metrics; only its stream hook is used here. */
  asMetrics(): Metrics {
    const none = () => undefined
    const metric = () => ({
      update: none,
      increment: none,
      decrement: none,
      reset: none,
      observe: none,
      timer: () => none,
    })
    return {
      trackMultiaddrConnection: none,
      trackProtocolStream: (stream: Stream) => this.track(stream),
      registerMetric: metric,
      registerMetricGroup: metric,
      registerCounter: metric,
      registerCounterGroup: metric,
      registerHistogram: metric,
      registerHistogramGroup: metric,
      registerSummary: metric,
      registerSummaryGroup: metric,
      traceFunction: <F>(_name: string, fn: F) => fn,
      createTrace: none,
    } as unknown as Metrics
  }
}

function countOf(counts: Map<string, Count>, key: string): Count {
  const known = counts.get(key)
  if (known) return known
  const count = { up: 0, down: 0 }
  counts.set(key, count)
  return count
}
