import { randomBytes, timingSafeEqual } from 'node:crypto'
import { type Clock, CotuneError, EXIT, systemClock } from '#base'
import type { MeshNode, StreamCall } from '#protocols/mesh'
import type { Framed, MessageCodec, Signer } from '#protocols/messages'
import { type Invite, inviteId } from './invite.ts'
import {
  JOIN_PROTOCOL,
  type JoinAnswer,
  type JoinRefusal,
  type JoinRequest,
  joinAnswer,
  joinChallenge,
  joinMac,
  joinProof,
  joinRequest,
} from './join-messages.ts'
import { type Membership, openMembership, signMembership } from './membership.ts'

/** An invitation that the cloud peer has given out. */
export interface IssuedInvite {
  readonly secret: Uint8Array
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
  /** The device that has used it. */
  readonly usedBy?: string | undefined
}

/** Where the cloud peer keeps its invitations. */
export interface InviteStore {
  find(inviteId: string): IssuedInvite | undefined | Promise<IssuedInvite | undefined>
  /**
   * Marks the invitation as used by `member.peerId` and stores the member with its signed record,
   * in one transaction. False when another device has used it; the same device may repeat itself.
   */
  use(inviteId: string, member: Membership, record: Uint8Array): boolean | Promise<boolean>
}

export interface JoinServerComponents {
  readonly mesh: Pick<MeshNode, 'handle'>
  readonly identity: Signer
  readonly invites: InviteStore
  readonly clock?: Clock
}

export interface JoinServerInit {
  readonly runId: string
  /** The X25519 key that updates are sealed to now. */
  readonly sealingKey: () => Uint8Array
  readonly dpmDigest: () => string
  /** Called after a device has become a member, before it is told. */
  readonly onJoined: (member: Membership, record: Uint8Array) => void
}

/** The cloud peer's side of joining. */
export class JoinServer {
  readonly #components: JoinServerComponents
  readonly #init: JoinServerInit

  constructor(components: JoinServerComponents, init: JoinServerInit) {
    this.#components = components
    this.#init = init
  }

  /** Answers `/cotune/join/1`. */
  async serve(): Promise<void> {
    await this.#components.mesh.handle(JOIN_PROTOCOL, (call) => this.#answer(call))
  }

  async #answer({ peerId, stream, signal }: StreamCall): Promise<void> {
    const request = await receive(stream, joinRequest, signal)
    const nonce = new Uint8Array(randomBytes(32))
    await stream.write(joinChallenge.encode({ nonce }), signal)
    const { mac } = await receive(stream, joinProof, signal)
    const answer = await this.#decide(peerId, request, nonce, mac)
    await stream.write(joinAnswer.encode(answer), signal)
  }

  async #decide(
    peerId: string,
    request: JoinRequest,
    nonce: Uint8Array,
    mac: Uint8Array,
  ): Promise<JoinAnswer> {
    const { identity, invites } = this.#components
    const { runId } = this.#init
    const now = (this.#components.clock ?? systemClock).now()
    if (request.runId !== runId) return { refusal: 'INVITE_WRONG_RUN' }
    const issued = await invites.find(request.inviteId)
    if (!issued) return { refusal: 'INVITE_UNKNOWN' }
    const expected = joinMac(issued.secret, {
      runId,
      devicePeerId: peerId,
      cloudPeerId: identity.peerId,
      nonce,
    })
    if (!timingSafeEqual(mac, expected)) return { refusal: 'INVITE_WRONG_PROOF' }
    if (issued.usedBy !== undefined && issued.usedBy !== peerId) return { refusal: 'INVITE_USED' }
    // A device that was killed before it had stored the answer may ask again, even late.
    if (issued.usedBy === undefined && issued.expiresAt < now) return { refusal: 'INVITE_EXPIRED' }
    const member: Membership = {
      runId,
      peerId,
      name: request.name,
      role: 'device',
      issuedAt: now,
      sealingKey: this.#init.sealingKey(),
      dpmDigest: this.#init.dpmDigest(),
    }
    const record = signMembership(identity, member)
    if (!(await invites.use(request.inviteId, member, record))) return { refusal: 'INVITE_USED' }
    this.#init.onJoined(member, record)
    return { membership: record }
  }
}

/**
 * The device's side of joining: connects to the cloud peer of the invitation, proves the secret and
 * checks the record.
 * @returns the membership and its signed bytes, to be kept
 * @throws JOIN_REFUSED with the cloud peer's reason in `data.refusal`, MESH_UNREACHABLE,
 * MEMBERSHIP_INVALID, PROTOCOL_*
 */
export async function joinRun(
  mesh: Pick<MeshNode, 'peerId' | 'connect' | 'open'>,
  invite: Invite,
  options: { readonly name: string; readonly signal?: AbortSignal },
): Promise<{ readonly membership: Membership; readonly record: Uint8Array }> {
  const { runId, cloudPeerId, secret } = invite
  const { name, signal } = options
  await mesh.connect(cloudPeerId, invite.addresses, signal)
  const stream = await mesh.open(cloudPeerId, JOIN_PROTOCOL, signal)
  try {
    const request = joinRequest.encode({ runId, inviteId: inviteId(secret), name })
    await stream.write(request, signal)
    const { nonce } = await receive(stream, joinChallenge, signal)
    const mac = joinMac(secret, { runId, devicePeerId: mesh.peerId, cloudPeerId, nonce })
    await stream.write(joinProof.encode({ mac }), signal)
    const answer = await receive(stream, joinAnswer, signal)
    if ('refusal' in answer) throw refused(answer.refusal)
    const membership = openMembership(answer.membership, cloudPeerId, runId)
    if (membership.peerId !== mesh.peerId) throw notOurs(membership.peerId)
    await stream.close()
    return { membership, record: answer.membership }
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(String(error)))
    throw error
  }
}

async function receive<T>(
  stream: Framed,
  codec: MessageCodec<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const frame = await stream.read(signal)
  if (frame) return codec.decode(frame)
  throw new CotuneError('PROTOCOL_CLOSED', `The peer ended the stream before its ${codec.name}.`, {
    hint: 'The cloud peer may be busy; try again in a minute.',
  })
}

function refused(refusal: JoinRefusal): CotuneError {
  return new CotuneError('JOIN_REFUSED', JOIN_REASONS[refusal], {
    hint: 'Ask for a new invite: cotune invite on the cloud peer.',
    exit: EXIT.refused,
    data: { refusal },
  })
}

const JOIN_REASONS: Readonly<Record<JoinRefusal, string>> = {
  INVITE_UNKNOWN: 'The cloud peer does not know this invite.',
  INVITE_USED: 'Another device has used this invite.',
  INVITE_EXPIRED: 'The invite has expired.',
  INVITE_WRONG_RUN: 'The invite is for another run.',
  INVITE_WRONG_PROOF: 'The secret of the invite is wrong.',
}

function notOurs(peerId: string): CotuneError {
  return new CotuneError('MEMBERSHIP_INVALID', `The record is for ${peerId}, not for us.`, {
    hint: 'The cloud peer is faulty; tell who runs it.',
    data: { peerId },
  })
}
