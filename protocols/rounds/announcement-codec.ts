import type { MessageInitShape, MessageShape } from '@bufbuild/protobuf'
import {
  digestBytes,
  digestHex,
  fieldError,
  fixedBytes,
  LIMITS,
  messageCodec,
  runIdText,
  safeInteger,
  shortText,
  timestamp,
} from '#protocols/messages'
import { AnnouncementSchema } from './rounds_pb.ts'
import type { AnnouncementBody, RoundOpen } from './types.ts'

type Wire = MessageShape<typeof AnnouncementSchema>
type WireBody = NonNullable<MessageInitShape<typeof AnnouncementSchema>['body']>

export interface UnsignedAnnouncement {
  readonly runId: string
  readonly issuedAt: number
  readonly body: AnnouncementBody
}

export const announcementCodec = messageCodec({
  schema: AnnouncementSchema,
  maxBytes: LIMITS.announcementBytes - 256,
  toWire: (value: UnsignedAnnouncement) => ({
    runId: value.runId,
    issuedAt: BigInt(value.issuedAt),
    body: bodyToWire(value.body),
  }),
  fromWire: (message): UnsignedAnnouncement => ({
    runId: runIdText(message.runId),
    issuedAt: timestamp(message.issuedAt, 'issuedAt'),
    body: bodyFromWire(message.body),
  }),
})

function bodyToWire(body: AnnouncementBody): WireBody {
  switch (body.type) {
    case 'round-open': {
      const { type: _, startVersion, ...terms } = body
      return {
        case: 'roundOpen',
        value: {
          ...terms,
          baseDigest: digestBytes(body.baseDigest, 'baseDigest'),
          startVersion: startVersion
            ? digestBytes(startVersion, 'startVersion')
            : new Uint8Array(0),
          opensAt: BigInt(body.opensAt),
          deadline: BigInt(body.deadline),
        },
      }
    }
    case 'update-offer':
      return {
        case: 'updateOffer',
        value: {
          round: body.round,
          blobId: digestBytes(body.blobId, 'blobId'),
          sizeBytes: body.sizeBytes,
          expiresAt: BigInt(body.expiresAt),
        },
      }
    case 'update-receipt':
      return {
        case: 'updateReceipt',
        value: {
          round: body.round,
          blobId: digestBytes(body.blobId, 'blobId'),
          peerId: body.peerId,
          outcome: body.outcome,
          code: body.code ?? '',
        },
      }
    case 'round-closed':
      return {
        case: 'roundClosed',
        value: {
          round: body.round,
          outcome: body.outcome,
          reason: body.reason ?? '',
          counted: body.counted,
        },
      }
    case 'version-published':
      return {
        case: 'versionPublished',
        value: {
          round: body.round,
          blobId: digestBytes(body.blobId, 'blobId'),
          baseDigest: digestBytes(body.baseDigest, 'baseDigest'),
          sizeBytes: body.sizeBytes,
        },
      }
  }
}

function bodyFromWire(body: Wire['body']): AnnouncementBody {
  switch (body.case) {
    case 'roundOpen':
      return roundOpen(body.value)
    case 'updateOffer':
      return {
        type: 'update-offer',
        round: roundNumber(body.value.round),
        blobId: digestHex(body.value.blobId, 'blobId'),
        sizeBytes: size(body.value.sizeBytes, 'sizeBytes'),
        expiresAt: timestamp(body.value.expiresAt, 'expiresAt'),
      }
    case 'updateReceipt':
      return {
        type: 'update-receipt',
        round: roundNumber(body.value.round),
        blobId: digestHex(body.value.blobId, 'blobId'),
        peerId: shortText(body.value.peerId, LIMITS.peerIdChars, 'peerId'),
        outcome: either(body.value.outcome, 'counted', 'refused'),
        ...optional('code', body.value.code, LIMITS.nameChars),
      }
    case 'roundClosed':
      return {
        type: 'round-closed',
        round: roundNumber(body.value.round),
        outcome: either(body.value.outcome, 'published', 'aborted'),
        counted: safeInteger(body.value.counted, LIMITS.members, 'counted'),
        ...optional('reason', body.value.reason, 200),
      }
    case 'versionPublished':
      return {
        type: 'version-published',
        round: roundNumber(body.value.round),
        blobId: digestHex(body.value.blobId, 'blobId'),
        baseDigest: digestHex(body.value.baseDigest, 'baseDigest'),
        sizeBytes: size(body.value.sizeBytes, 'sizeBytes'),
      }
    default:
      throw fieldError('body', 'a known announcement')
  }
}

function roundOpen(wire: Extract<Wire['body'], { case: 'roundOpen' }>['value']): RoundOpen {
  const quorum = safeInteger(wire.quorum, LIMITS.members, 'quorum')
  const opensAt = timestamp(wire.opensAt, 'opensAt')
  const deadline = timestamp(wire.deadline, 'deadline')
  if (quorum === 0) throw fieldError('quorum', 'at least 1')
  if (deadline < opensAt) throw fieldError('deadline', 'after opensAt')
  return {
    type: 'round-open',
    round: roundNumber(wire.round),
    rounds: safeInteger(wire.rounds, LIMITS.rounds, 'rounds'),
    baseDigest: digestHex(wire.baseDigest, 'baseDigest'),
    ...(wire.startVersion.length > 0 && {
      startVersion: digestHex(wire.startVersion, 'startVersion'),
    }),
    opensAt,
    deadline,
    quorum,
    expected: safeInteger(wire.expected, LIMITS.members, 'expected'),
    strategy: either(wire.strategy, 'exact', 'fedavg'),
    sealingKey: fixedBytes(wire.sealingKey, 32, 'sealingKey'),
    maxUpdateBytes: size(wire.maxUpdateBytes, 'maxUpdateBytes'),
    seed: wire.seed,
  }
}

function roundNumber(round: number): number {
  if (round === 0) throw fieldError('round', 'at least 1')
  return safeInteger(round, LIMITS.rounds, 'round')
}

function size(bytes: number, field: string): number {
  return safeInteger(bytes, LIMITS.chunks * LIMITS.chunkBytes, field)
}

function either<A extends string, B extends string>(text: string, a: A, b: B): A | B {
  if (text === a) return a
  if (text === b) return b
  throw fieldError('outcome or strategy', `"${a}" or "${b}"`)
}

function optional<K extends string>(key: K, text: string, maxChars: number) {
  return (text === '' ? {} : { [key]: shortText(text, maxChars, key) }) as { [P in K]?: string }
}
