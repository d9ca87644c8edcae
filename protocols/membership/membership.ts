import { CotuneError } from '#base'
import {
  bounded,
  digestBytes,
  digestHex,
  fieldError,
  fixedBytes,
  LIMITS,
  messageCodec,
  openSigned,
  runIdText,
  type Signer,
  safeInteger,
  shortText,
  signBody,
  timestamp,
} from '#protocols/messages'
import { MembershipSchema, RevocationsSchema } from './membership_pb.ts'

export type Role = 'device' | 'cloud'

/** That a peer belongs to a run, by the cloud peer's word. */
export interface Membership {
  readonly runId: string
  readonly peerId: string
  readonly name: string
  readonly role: Role
  /** Milliseconds since the epoch. */
  readonly issuedAt: number
  /** The cloud peer's X25519 key at the time, 32 bytes; each round names the one to use. */
  readonly sealingKey: Uint8Array
  /**
   * SHA-256 of the proxy model's base weights, hexadecimal: a device checks that it has the same.
   */
  readonly dpmDigest: string
}

/** Members that are members no longer. A list of a higher sequence replaces the one before. */
export interface Revocations {
  readonly runId: string
  readonly sequence: number
  readonly peerIds: readonly string[]
}

const membershipCodec = messageCodec({
  schema: MembershipSchema,
  maxBytes: LIMITS.controlBytes,
  toWire: (value: Membership) => ({
    ...value,
    issuedAt: BigInt(value.issuedAt),
    dpmDigest: digestBytes(value.dpmDigest, 'dpmDigest'),
  }),
  fromWire: (message): Membership => ({
    runId: runIdText(message.runId),
    peerId: shortText(message.peerId, LIMITS.peerIdChars, 'peerId'),
    name: shortText(message.name, LIMITS.nameChars, 'name'),
    role: role(message.role),
    issuedAt: timestamp(message.issuedAt, 'issuedAt'),
    sealingKey: fixedBytes(message.sealingKey, 32, 'sealingKey'),
    dpmDigest: digestHex(message.dpmDigest, 'dpmDigest'),
  }),
})

const revocationsCodec = messageCodec({
  schema: RevocationsSchema,
  maxBytes: LIMITS.manifestBytes - 512,
  toWire: (value: Revocations) => ({ ...value, peerIds: [...value.peerIds] }),
  fromWire: (message): Revocations => ({
    runId: runIdText(message.runId),
    sequence: safeInteger(message.sequence, 0xffff_ffff, 'sequence'),
    peerIds: bounded(message.peerIds, LIMITS.members, 'peerIds').map((peerId) =>
      shortText(peerId, LIMITS.peerIdChars, 'peerIds'),
    ),
  }),
})

/** The cloud peer's signed record that a peer is a member. */
export function signMembership(cloud: Signer, membership: Membership): Uint8Array {
  return signBody(cloud, 'membership', membershipCodec.encode(membership))
}

/**
 * @throws MEMBERSHIP_INVALID when another than `cloudPeerId` signed it or it is another run's, and
 * PROTOCOL_*
 */
export function openMembership(bytes: Uint8Array, cloudPeerId: string, runId: string): Membership {
  const { signer, body } = openSigned('membership', bytes)
  const membership = membershipCodec.decode(body)
  checkIssuer(signer, membership.runId, cloudPeerId, runId)
  return membership
}

export function signRevocations(cloud: Signer, revocations: Revocations): Uint8Array {
  return signBody(cloud, 'revocations', revocationsCodec.encode(revocations))
}

/** @throws MEMBERSHIP_INVALID, PROTOCOL_* */
export function openRevocations(
  bytes: Uint8Array,
  cloudPeerId: string,
  runId: string,
): Revocations {
  const { signer, body } = openSigned('revocations', bytes)
  const revocations = revocationsCodec.decode(body)
  checkIssuer(signer, revocations.runId, cloudPeerId, runId)
  return revocations
}

function checkIssuer(signer: string, foundRun: string, cloudPeerId: string, runId: string): void {
  if (signer === cloudPeerId && foundRun === runId) return
  throw new CotuneError('MEMBERSHIP_INVALID', "The record is not this run's cloud peer's.", {
    hint: 'Join again with an invite of the cloud peer.',
    data: { signer, cloudPeerId, foundRun, runId },
  })
}

function role(text: string): Role {
  if (text === 'device' || text === 'cloud') return text
  throw fieldError('role', '"device" or "cloud"')
}
