import {
  digestBytes,
  digestHex,
  fieldError,
  LIMITS,
  messageCodec,
  safeInteger,
} from '#protocols/messages'
import { BlobRequestSchema, BlobResponseSchema } from './transfer_pb.ts'

const WANTS = ['manifest', 'have', 'chunk'] as const
const KINDS = [...WANTS, 'reject'] as const
const REASONS = ['BLOB_UNKNOWN', 'BLOB_BUSY'] as const

export interface BlobRequest {
  readonly blobId: string
  readonly want: (typeof WANTS)[number]
  readonly index: number
}

export type BlobResponse =
  | { readonly kind: 'manifest' | 'have'; readonly data: Uint8Array }
  | { readonly kind: 'chunk'; readonly index: number; readonly data: Uint8Array }
  | {
      readonly kind: 'reject'
      readonly reason: (typeof REASONS)[number]
      readonly retryAfterMs: number
    }

export const blobRequest = messageCodec({
  schema: BlobRequestSchema,
  maxBytes: 256,
  toWire: (value: BlobRequest) => ({ ...value, blobId: digestBytes(value.blobId, 'blobId') }),
  fromWire: (message): BlobRequest => ({
    blobId: digestHex(message.blobId, 'blobId'),
    want: oneOf(message.want, WANTS, 'want'),
    index: safeInteger(message.index, LIMITS.chunks - 1, 'index'),
  }),
})

export const blobResponse = messageCodec({
  schema: BlobResponseSchema,
  maxBytes: LIMITS.chunkFrameBytes,
  toWire: (value: BlobResponse) => value,
  fromWire: (message): BlobResponse => {
    const kind = oneOf(message.kind, KINDS, 'kind')
    switch (kind) {
      case 'manifest':
        return { kind, data: atMost(message.data, LIMITS.manifestBytes) }
      case 'have':
        return { kind, data: atMost(message.data, LIMITS.chunks / 8) }
      case 'chunk': {
        const index = safeInteger(message.index, LIMITS.chunks - 1, 'index')
        return { kind, index, data: atMost(message.data, LIMITS.chunkBytes) }
      }
      case 'reject':
        return {
          kind,
          reason: oneOf(message.reason, REASONS, 'reason'),
          retryAfterMs: safeInteger(message.retryAfterMs, 3_600_000, 'retryAfterMs'),
        }
    }
  },
})

function oneOf<T extends string>(text: string, allowed: readonly T[], field: string): T {
  const found = allowed.find((candidate) => candidate === text)
  if (found === undefined) throw fieldError(field, `one of ${allowed.join(', ')}`)
  return found
}

function atMost(bytes: Uint8Array, maxBytes: number): Uint8Array {
  if (bytes.length > maxBytes) throw fieldError('data', `at most ${maxBytes} bytes`)
  return bytes
}
