import { CotuneError } from '#base'
import type { MeshNode, StreamProtocol } from '#protocols/mesh'
import { bounded, LIMITS, messageCodec, runIdText, shortText } from '#protocols/messages'
import type { MemberDirectory } from './member-directory.ts'
import { MembersAnswerSchema, MembersRequestSchema } from './membership_pb.ts'

/** Any member may ask any member who the members are: the records are signed by the cloud peer. */
export const MEMBERS_PROTOCOL: StreamProtocol = {
  id: '/cotune/members/1',
  access: 'members',
  maxFrameBytes: LIMITS.listBytes,
  timeoutMs: 10_000,
  maxInboundStreams: 2,
}

interface MembersAnswer {
  readonly members: readonly {
    readonly membership: Uint8Array
    readonly addresses: readonly string[]
  }[]
  readonly revocations: Uint8Array
}

const request = messageCodec({
  schema: MembersRequestSchema,
  maxBytes: 256,
  toWire: (value: { readonly runId: string }) => value,
  fromWire: (message) => ({ runId: runIdText(message.runId) }),
})

const answer = messageCodec({
  schema: MembersAnswerSchema,
  maxBytes: LIMITS.listBytes,
  toWire: (value: MembersAnswer) => ({
    members: value.members.map(({ membership, addresses }) => ({
      membership,
      addresses: [...addresses],
    })),
    revocations: value.revocations,
  }),
  fromWire: (message): MembersAnswer => ({
    members: bounded(message.members, LIMITS.members, 'members').map((member) => ({
      membership: member.membership,
      addresses: bounded(member.addresses, LIMITS.addresses, 'addresses').map((address) =>
        shortText(address, LIMITS.addressChars, 'addresses'),
      ),
    })),
    revocations: message.revocations,
  }),
})

/** Answers `/cotune/members/1` from `directory`. */
export async function serveMembers(
  mesh: Pick<MeshNode, 'handle' | 'addressesOf'>,
  directory: MemberDirectory,
): Promise<void> {
  await mesh.handle(MEMBERS_PROTOCOL, async ({ stream, signal }) => {
    const frame = await stream.read(signal)
    if (!frame || request.decode(frame).runId !== directory.runId) return
    const members = await Promise.all(
      directory.list().map(async ({ membership, record, addresses }) => {
        const seen = await mesh.addressesOf(membership.peerId)
        // One address of many tells more than none, and keeps the answer of 1,000 members within
        // its limit.
        return { membership: record, addresses: (seen.length > 0 ? seen : addresses).slice(0, 4) }
      }),
    )
    await stream.write(answer.encode({ members, revocations: directory.revocations }), signal)
  })
}

/**
 * Brings `directory` up to date by asking `peerId`. A record that is not the cloud peer's is
 * skipped.
 * @throws MESH_UNREACHABLE, PROTOCOL_*
 */
export async function fetchMembers(
  mesh: Pick<MeshNode, 'open'>,
  peerId: string,
  directory: MemberDirectory,
  signal?: AbortSignal,
): Promise<void> {
  const stream = await mesh.open(peerId, MEMBERS_PROTOCOL, signal)
  try {
    await stream.write(request.encode({ runId: directory.runId }), signal)
    const frame = await stream.read(signal)
    if (!frame) throw nothing(peerId)
    const { members, revocations } = answer.decode(frame)
    if (revocations.length > 0) attempt(() => directory.revoke(revocations))
    for (const { membership, addresses } of members) {
      attempt(() => directory.add(membership, addresses))
    }
    await stream.close()
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(String(error)))
    throw error
  }
}

/** One bad record of a peer must not keep the good ones out. */
function attempt(action: () => unknown): void {
  try {
    action()
  } catch {
    // Not signed by the cloud peer: as if it had not been sent.
  }
}

function nothing(peerId: string): CotuneError {
  return new CotuneError('PROTOCOL_CLOSED', `${peerId} gave no list of members.`, {
    hint: 'It is asked again by itself.',
  })
}
