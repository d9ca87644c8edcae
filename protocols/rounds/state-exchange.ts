import { CotuneError, errorMessage } from '#base'
import type { MeshNode, StreamProtocol } from '#protocols/mesh'
import {
  bounded,
  digestBytes,
  digestHex,
  fieldError,
  LIMITS,
  messageCodec,
  runIdText,
  timestamp,
} from '#protocols/messages'
import { StateAnswerSchema, StateRequestSchema } from './rounds_pb.ts'

/**
 * What a peer that was away asks; also asked every few seconds, since gossip alone loses things.
 */
export const STATE_PROTOCOL: StreamProtocol = {
  id: '/cotune/state/1',
  access: 'members',
  maxFrameBytes: 64 * 1024,
  timeoutMs: 10_000,
  maxInboundStreams: 2,
}

const MAX_ANNOUNCEMENTS = 8

/** What holds now, as the answering peer knows it. */
export interface RunState {
  /** Its clock, milliseconds since the epoch. */
  readonly now: number
  /**
   * Signed announcements: the open round, the latest version, the asker's receipt, how the last
   * round ended.
   */
  readonly announcements: readonly Uint8Array[]
  /** Of its list of members; see `MemberDirectory.digest`. */
  readonly membersDigest: string
}

interface StateRequest {
  readonly runId: string
  readonly offer?: Uint8Array
}

const request = messageCodec({
  schema: StateRequestSchema,
  maxBytes: LIMITS.announcementBytes + 256,
  toWire: (value: StateRequest) => ({
    runId: value.runId,
    offer: value.offer ?? new Uint8Array(0),
  }),
  fromWire: (message): StateRequest => ({
    runId: runIdText(message.runId),
    ...(message.offer.length > 0 && { offer: announcement(message.offer) }),
  }),
})

const answer = messageCodec({
  schema: StateAnswerSchema,
  maxBytes: STATE_PROTOCOL.maxFrameBytes,
  toWire: (value: RunState) => ({
    now: BigInt(value.now),
    announcements: [...value.announcements],
    membersDigest: digestBytes(value.membersDigest, 'membersDigest'),
  }),
  fromWire: (message): RunState => ({
    now: timestamp(message.now, 'now'),
    announcements: bounded(message.announcements, MAX_ANNOUNCEMENTS, 'announcements').map(
      announcement,
    ),
    membersDigest: digestHex(message.membersDigest, 'membersDigest'),
  }),
})

export interface StateServerInit {
  readonly runId: string
  /** What to tell `peerId`. At most 8 announcements. */
  readonly stateFor: (peerId: string) => RunState | Promise<RunState>
  /** Takes the signed offer that came with a question. */
  readonly takeOffer: (offer: Uint8Array, peerId: string) => void | Promise<void>
  /**
   * Told what `takeOffer` throws. The question is answered all the same: a bad offer must not keep
   * a device in the dark.
   */
  readonly onRefused: (error: unknown, peerId: string) => void
}

/** Answers `/cotune/state/1`. The offer is taken first, so that the answer can hold its receipt. */
export async function serveState(
  mesh: Pick<MeshNode, 'handle'>,
  init: StateServerInit,
): Promise<void> {
  await mesh.handle(STATE_PROTOCOL, async ({ peerId, stream, signal }) => {
    const frame = await stream.read(signal)
    if (!frame) return
    const { runId, offer } = request.decode(frame)
    if (runId !== init.runId) throw wrongRun(runId, init.runId)
    try {
      if (offer) await init.takeOffer(offer, peerId)
    } catch (error) {
      init.onRefused(error, peerId)
    }
    await stream.write(answer.encode(await init.stateFor(peerId)), signal)
  })
}

/**
 * Asks `peerId`, which should be the cloud peer, for what holds now, and repeats our offer if it
 * has no receipt yet.
 * @throws MESH_UNREACHABLE, PROTOCOL_*
 */
export async function fetchState(
  mesh: Pick<MeshNode, 'open'>,
  peerId: string,
  question: StateRequest,
  signal?: AbortSignal,
): Promise<RunState> {
  const stream = await mesh.open(peerId, STATE_PROTOCOL, signal)
  try {
    await stream.write(request.encode(question), signal)
    const frame = await stream.read(signal)
    if (!frame) throw closed(peerId)
    const state = answer.decode(frame)
    await stream.close()
    return state
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(errorMessage(error)))
    throw error
  }
}

function announcement(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= LIMITS.announcementBytes) return bytes
  throw fieldError('announcements', `at most ${LIMITS.announcementBytes} bytes each`)
}

function wrongRun(found: string, expected: string): CotuneError {
  return new CotuneError('ANNOUNCEMENT_WRONG_RUN', `A question about the run ${found}.`, {
    hint: 'The device must join this run by invite.',
    data: { found, expected },
  })
}

function closed(peerId: string): CotuneError {
  return new CotuneError('PROTOCOL_CLOSED', `${peerId} did not tell the state of the run.`, {
    hint: 'It is asked again by itself.',
  })
}
