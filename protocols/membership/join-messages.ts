import { createHmac } from 'node:crypto'
import { utf8 } from '#base'
import type { StreamProtocol } from '#protocols/mesh'
import {
  digestBytes,
  digestHex,
  fieldError,
  fixedBytes,
  LIMITS,
  messageCodec,
  runIdText,
  shortText,
} from '#protocols/messages'
import {
  JoinAnswerSchema,
  JoinChallengeSchema,
  JoinProofSchema,
  JoinRequestSchema,
} from './membership_pb.ts'

/** The one protocol that strangers may open. */
export const JOIN_PROTOCOL: StreamProtocol = {
  id: '/cotune/join/1',
  access: 'anyone',
  maxFrameBytes: LIMITS.controlBytes,
  timeoutMs: 10_000,
  maxInboundStreams: 1,
}

const REFUSALS = [
  'INVITE_UNKNOWN',
  'INVITE_USED',
  'INVITE_EXPIRED',
  'INVITE_WRONG_RUN',
  'INVITE_WRONG_PROOF',
] as const
export type JoinRefusal = (typeof REFUSALS)[number]

export interface JoinRequest {
  readonly runId: string
  readonly inviteId: string
  readonly name: string
}

export const joinRequest = messageCodec({
  schema: JoinRequestSchema,
  maxBytes: 512,
  toWire: (value: JoinRequest) => ({ ...value, inviteId: digestBytes(value.inviteId, 'inviteId') }),
  fromWire: (message): JoinRequest => ({
    runId: runIdText(message.runId),
    inviteId: digestHex(message.inviteId, 'inviteId'),
    name: shortText(message.name, LIMITS.nameChars, 'name'),
  }),
})

export const joinChallenge = messageCodec({
  schema: JoinChallengeSchema,
  maxBytes: 64,
  toWire: (value: { readonly nonce: Uint8Array }) => value,
  fromWire: (message) => ({ nonce: fixedBytes(message.nonce, 32, 'nonce') }),
})

export const joinProof = messageCodec({
  schema: JoinProofSchema,
  maxBytes: 64,
  toWire: (value: { readonly mac: Uint8Array }) => value,
  fromWire: (message) => ({ mac: fixedBytes(message.mac, 32, 'mac') }),
})

export type JoinAnswer = { readonly membership: Uint8Array } | { readonly refusal: JoinRefusal }

export const joinAnswer = messageCodec({
  schema: JoinAnswerSchema,
  maxBytes: LIMITS.controlBytes,
  toWire: (value: JoinAnswer) => value,
  fromWire: (message): JoinAnswer => {
    if (message.refusal === '') return { membership: message.membership }
    const refusal = REFUSALS.find((code) => code === message.refusal)
    if (!refusal) throw fieldError('refusal', `one of ${REFUSALS.join(', ')}`)
    return { refusal }
  },
})

/**
 * What shows that a device knows the secret, here and now: it is of no use to anybody else who
 * learns it, to another cloud peer, or a second time. The secret itself never travels.
 */
export function joinMac(
  secret: Uint8Array,
  about: {
    readonly runId: string
    readonly devicePeerId: string
    readonly cloudPeerId: string
    readonly nonce: Uint8Array
  },
): Uint8Array {
  const { runId, devicePeerId, cloudPeerId, nonce } = about
  const text = utf8(['cotune:join:1', runId, devicePeerId, cloudPeerId, ''].join('\0'))
  return new Uint8Array(createHmac('sha256', secret).update(text).update(nonce).digest())
}
