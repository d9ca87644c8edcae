import '#base'
import { noise } from '@chainsafe/libp2p-noise'
import type { Stream } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p, type Libp2p } from 'libp2p'

/** Two bare libp2p nodes on 127.0.0.1, to speak bytes that our own code would never send. */
export async function libp2pPair(): Promise<{ a: Libp2p; b: Libp2p; stop(): Promise<void> }> {
  const [a, b] = await Promise.all([bareNode(), bareNode()])
  return {
    a,
    b,
    stop: async () => {
      await a.stop()
      await b.stop()
    },
  }
}

export function bareNode(): Promise<Libp2p> {
  return createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [
      yamux({ streamOptions: { maxStreamWindowSize: 4 << 20, maxReadBufferLength: 8 << 20 } }),
    ],
    connectionMonitor: { enabled: false },
  })
}

/** Opens a stream from `a` to `b`: both ends. */
export async function openPair(a: Libp2p, b: Libp2p): Promise<{ near: Stream; far: Stream }> {
  const protocol = `/test/${Math.random()}`
  const { promise, resolve } = Promise.withResolvers<Stream>()
  await b.handle(protocol, (stream) => resolve(stream))
  const near = await a.dialProtocol(b.getMultiaddrs(), protocol, {
    signal: AbortSignal.timeout(5_000),
  })
  // A pre-negotiated stream reaches the far side with its first bytes only.
  return { near, far: await promise }
}
