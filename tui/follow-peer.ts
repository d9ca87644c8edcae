import { type Clock, errorMessage, isCotuneError, type Random } from '#base'
import type { Status } from '#protocols/api'
import type { Arrival } from './state/reduce-model.ts'
import type { TuiClient } from './tui-client.ts'

/** Also the heartbeat: while a peer has nothing to tell, its answers show that it is there. */
const SNAPSHOT_INTERVAL_MS = 2_000
const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 10_000

/**
 * Keeps a model up to date until `signal` aborts: a snapshot, the events after it, a new snapshot every two seconds. When the
 * peer goes away it says so and tries again after 0.5 s to 10 s, doubling, with jitter; events are then resumed after the last
 * one seen, so that none is lost while the peer still holds it.
 */
export async function followPeer(init: {
  readonly client: TuiClient
  readonly clock: Clock
  readonly random: Random
  readonly onArrival: (arrival: Arrival) => void
  readonly signal: AbortSignal
}): Promise<void> {
  const { clock, random, onArrival, signal } = init
  let failures = 0
  let position: Position = { startedAt: 0, sequence: 0 }
  const reached = (next: Position) => {
    position = next
  }
  while (!signal.aborted) {
    const begun = clock.now()
    const failure = await follow(init, position, reached)
    if (signal.aborted) return
    if (failure === undefined) continue
    if (clock.now() - begun > LAST_RETRY_MS) failures = 0
    const jitter = 0.75 + random.next() / 2
    const waitMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures) * jitter
    failures += 1
    const at = clock.now()
    onArrival({ type: 'disconnected', ...described(failure), at, retryAt: at + waitMs })
    await clock.sleep(waitMs, signal).catch(() => undefined)
  }
}

interface Position {
  /** Which life of the peer the sequence belongs to. */
  readonly startedAt: number
  readonly sequence: number
}

type Init = Parameters<typeof followPeer>[0]

/** One connection; resolves with why it ended, undefined if the peer was restarted meanwhile. */
async function follow(
  init: Init,
  position: Position,
  reached: (position: Position) => void,
): Promise<unknown> {
  const { client, clock, onArrival, signal } = init
  const ended = new AbortController()
  const both = AbortSignal.any([signal, ended.signal])
  try {
    const status = await client.call('GET /v1/status', undefined, both)
    if (signal.aborted) return signal.reason
    onArrival({ type: 'snapshot', status, at: clock.now() })
    const { startedAt } = status
    const same = startedAt === position.startedAt
    let sequence = same ? Math.min(position.sequence, status.sequence) : 0
    reached({ startedAt, sequence })
    const events = async () => {
      for await (const entry of client.events(sequence, both)) {
        sequence = entry.sequence
        reached({ startedAt, sequence })
        onArrival({ type: 'event', entry, at: clock.now() })
      }
      throw new Error('The peer ended the stream of events.')
    }
    return await Promise.race([events(), snapshots(init, status, both)])
  } catch (error) {
    return error
  } finally {
    ended.abort()
  }
}

/** Asks for snapshots until one fails, or shows that the peer was restarted and counts events anew. */
async function snapshots(
  { client, clock, onArrival }: Init,
  first: Status,
  signal: AbortSignal,
): Promise<undefined> {
  for (;;) {
    await clock.sleep(SNAPSHOT_INTERVAL_MS, signal)
    const status = await client.call('GET /v1/status', undefined, signal)
    signal.throwIfAborted()
    onArrival({ type: 'snapshot', status, at: clock.now() })
    if (status.startedAt !== first.startedAt) return undefined
  }
}

function described(error: unknown): { readonly message: string; readonly hint: string } {
  const hint = isCotuneError(error) ? error.hint : 'Is the peer running?'
  return { message: errorMessage(error), hint }
}
