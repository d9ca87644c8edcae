import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isCotuneError } from '#base'
import { createIdentity } from '#protocols/mesh'
import { LIMITS, type MessageCodec } from '#protocols/messages'
import {
  joinAnswer,
  joinChallenge,
  joinProof,
  joinRequest,
} from '../../../protocols/membership/join-messages.ts'
import { announcementCodec } from '../../../protocols/rounds/announcement-codec.ts'
import { blobRequest, blobResponse } from '../../../protocols/transfer/blob-messages.ts'

const digest = 'ab'.repeat(32)
const bytes32 = new Uint8Array(32).fill(3)

function sample<T>(codec: MessageCodec<T>, value: T) {
  const { name, maxBytes, decode } = codec
  return { name, maxBytes, decode, value, encoded: codec.encode(value) }
}

/**
 * A valid value of every message that a peer sends; what is not here is reached through its
 * folder's tests.
 */
const SAMPLES = [
  sample(joinRequest, { runId: 'run', inviteId: digest, name: 'kitchen' }),
  sample(joinChallenge, { nonce: bytes32 }),
  sample(joinProof, { mac: bytes32 }),
  sample(joinAnswer, { membership: bytes32 }),
  sample(joinAnswer, { refusal: 'INVITE_USED' }),
  sample(blobRequest, { blobId: digest, want: 'chunk', index: 5 }),
  sample(blobResponse, { kind: 'chunk', index: 5, data: bytes32 }),
  sample(blobResponse, { kind: 'reject', reason: 'BLOB_BUSY', retryAfterMs: 1_000 }),
  sample(announcementCodec, {
    runId: 'run',
    issuedAt: 1,
    body: { type: 'update-offer', round: 1, blobId: digest, sizeBytes: 1, expiresAt: 1 },
  }),
]

const typed = (decode: () => unknown): boolean => {
  try {
    decode()
    return true
  } catch (error) {
    return isCotuneError(error) && error.code.startsWith('PROTOCOL_')
  }
}

describe.each(SAMPLES)('$name', ({ decode, maxBytes, encoded, value }) => {
  it('comes back as it was', () => {
    expect(decode(encoded)).toEqual(value)
  })

  it('is refused when too long, of another version, or with anything added', () => {
    const code = (expected: string) => expect.objectContaining({ code: expected })
    const long = new Uint8Array(maxBytes + 1)
    expect(() => decode(long)).toThrowError(code('PROTOCOL_OVERSIZE'))
    const other = Uint8Array.from(encoded)
    other[1] = 2
    expect(() => decode(other)).toThrowError(code('PROTOCOL_VERSION'))
    const unknownField = new Uint8Array([...encoded, 0xa8, 0x06, 1])
    expect(() => decode(unknownField)).toThrowError(code('PROTOCOL_MALFORMED'))
  })

  it('answers any bytes with a value or a typed error', () => {
    const change = fc.tuple(fc.nat(encoded.length - 1), fc.nat(255))
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 5 }), (changes) => {
        const bytes = Uint8Array.from(encoded)
        for (const [at, byte] of changes) bytes[at] = byte
        return typed(() => decode(bytes))
      }),
      { numRuns: 1_000 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => typed(() => decode(bytes))),
      { numRuns: 500 },
    )
  })
})

it('keeps names of peers within the limits of the wire', () => {
  expect(createIdentity().peerId.length).toBeLessThanOrEqual(LIMITS.peerIdChars)
})
