import type { ApiClient, Status } from '#protocols/api'
import type { Io } from './io.ts'

/** How long an answer may take before a person is told why. */
const PATIENCE_MS = 2_000

/**
 * A peer does one long job at a time: unless the function that comes back is called soon, says on stderr that the peer is
 * learning and answers later.
 */
export function sayWhenBusy(client: ApiClient, stderr: Io['stderr']): () => void {
  let waiting = true
  const say = async () => {
    const status = await client.call('GET /v1/status', undefined)
    if (waiting && isLearning(status)) {
      stderr.write(`${status.name} is learning just now and answers after that; Ctrl-C gives up\n`)
    }
  }
  // Whatever is wrong with the peer, the question itself tells.
  const timer = setTimeout(() => void say().catch(() => undefined), PATIENCE_MS)
  return () => {
    waiting = false
    clearTimeout(timer)
  }
}

function isLearning({ peers, peerId, round }: Status): boolean {
  const own = peers.find(({ id }) => id === peerId)
  return own?.state === 'training' || round?.phase === 'tuning'
}
