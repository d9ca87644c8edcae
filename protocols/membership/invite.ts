import { randomBytes } from 'node:crypto'
import { CotuneError, concatBytes, EXIT, equalBytes, sha256, sha256Hex } from '#base'
import {
  bounded,
  fieldError,
  fixedBytes,
  LIMITS,
  messageCodec,
  runIdText,
  shortText,
  timestamp,
} from '#protocols/messages'
import { InviteSchema } from './membership_pb.ts'

/** An invitation for one device, as read from its one line of text. */
export interface Invite {
  readonly runId: string
  readonly cloudPeerId: string
  /**
   * Multiaddrs of the cloud peer, each with /p2p/ and its peer id: the handshake checks who
   * answers.
   */
  readonly addresses: readonly string[]
  /** 32 bytes, good for one device. */
  readonly secret: Uint8Array
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

const PREFIX = 'cotune1:'
const CHECKSUM_BYTES = 4

const inviteCodec = messageCodec({
  schema: InviteSchema,
  maxBytes: LIMITS.controlBytes,
  toWire: (value: Invite) => ({
    ...value,
    addresses: [...value.addresses],
    expiresAt: BigInt(value.expiresAt),
  }),
  fromWire: (message): Invite => {
    const addresses = bounded(message.addresses, LIMITS.addresses, 'addresses').map((address) =>
      shortText(address, LIMITS.addressChars, 'addresses'),
    )
    return {
      runId: runIdText(message.runId),
      cloudPeerId: onePeer(addresses),
      addresses,
      secret: fixedBytes(message.secret, 32, 'secret'),
      expiresAt: timestamp(message.expiresAt, 'expiresAt'),
    }
  },
})

/**
 * A new invitation: the line to hand to the device's owner, and what the cloud peer keeps until it
 * is used. Of many addresses the first 16 are taken, those of this machine only (127.0.0.1) last.
 */
export function createInvite(about: {
  readonly runId: string
  readonly addresses: readonly string[]
  readonly expiresAt: number
}): { readonly text: string; readonly inviteId: string; readonly secret: Uint8Array } {
  const secret = new Uint8Array(randomBytes(32))
  const local = about.addresses.filter((address) => address.startsWith('/ip4/127.'))
  const others = about.addresses.filter((address) => !local.includes(address))
  const addresses = [...others, ...local].slice(0, LIMITS.addresses)
  const { runId, expiresAt } = about
  const cloudPeerId = onePeer(addresses)
  const body = inviteCodec.encode({ runId, expiresAt, addresses, cloudPeerId, secret })
  const bytes = concatBytes([body, checksum(body)])
  return {
    text: PREFIX + Buffer.from(bytes).toString('base64url'),
    inviteId: inviteId(secret),
    secret,
  }
}

/**
 * Reads an invitation; spaces and line breaks of pasting do not matter.
 * @throws INVITE_MALFORMED, INVITE_CHECKSUM, INVITE_EXPIRED
 */
export function parseInvite(text: string, now: number): Invite {
  const compact = text.replace(/\s+/g, '')
  const encoded = compact.slice(PREFIX.length)
  if (!compact.startsWith(PREFIX) || !/^[A-Za-z0-9_-]{8,}$/.test(encoded)) throw malformed()
  const bytes = new Uint8Array(Buffer.from(encoded, 'base64url'))
  const body = bytes.subarray(0, -CHECKSUM_BYTES)
  if (!equalBytes(checksum(body), bytes.subarray(-CHECKSUM_BYTES))) {
    throw new CotuneError('INVITE_CHECKSUM', 'The invite was not copied whole.', {
      hint: 'Copy the whole line that cotune invite printed.',
      exit: EXIT.usage,
    })
  }
  let invite: Invite
  try {
    invite = inviteCodec.decode(body)
  } catch (cause) {
    throw malformed(cause)
  }
  if (invite.expiresAt < now) {
    throw new CotuneError('INVITE_EXPIRED', 'The invite has expired.', {
      hint: 'Ask for a new one: cotune invite on the cloud peer.',
      exit: EXIT.refused,
      data: { expiresAt: invite.expiresAt },
    })
  }
  return invite
}

/** What names an invitation without giving it away. */
export function inviteId(secret: Uint8Array): string {
  return sha256Hex('cotune:invite:1\0', secret)
}

function onePeer(addresses: readonly string[]): string {
  const [peerId, ...others] = new Set(addresses.map((address) => address.split('/p2p/')[1] ?? ''))
  if (peerId && others.length === 0) return peerId
  throw fieldError('addresses', 'of one peer, each ending in /p2p/ and its peer id')
}

/** Against slips of copying; what protects the invitation is its secret. */
function checksum(body: Uint8Array): Uint8Array {
  return sha256('cotune:invite-checksum:1\0', body).subarray(0, CHECKSUM_BYTES)
}

function malformed(cause?: unknown): CotuneError {
  return new CotuneError('INVITE_MALFORMED', 'This is not an invite.', {
    hint: `An invite is one line that begins with ${PREFIX}; ask for one: cotune invite on the cloud peer.`,
    exit: EXIT.usage,
    cause,
  })
}
