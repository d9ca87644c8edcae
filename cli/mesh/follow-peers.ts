import type { MeshPeer } from './child-peer.ts'
import { ProgressLines } from './progress-lines.ts'

/** Says what happens at each peer until `signal` aborts; a peer that goes away is waited for. */
export async function followPeers(
  peers: readonly MeshPeer[],
  say: (peer: string, text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const lines = new ProgressLines()
  await Promise.all(
    peers.map(async ({ name, client }) => {
      for await (const { event } of client.events(0, signal)) {
        const line = lines.tell(name, event)
        if (line !== undefined) say(name, line)
      }
    }),
  )
}
