import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isCotuneError, utf8 } from '#base'
import { createIdentity } from '#protocols/mesh'
import { openSigned, signBody } from '#protocols/messages'

const alice = createIdentity()
const mallory = createIdentity()

describe('signed envelopes', () => {
  it('gives back the body and the signer', () => {
    const bytes = signBody(alice, 'announcement', utf8('hello'))
    const opened = openSigned('announcement', bytes)
    expect(opened.signer).toBe(alice.peerId)
    expect(Buffer.from(opened.body).toString()).toBe('hello')
  })

  it('binds the signature to its domain', () => {
    const bytes = signBody(alice, 'announcement', utf8('hello'))
    expect(() => openSigned('membership', bytes)).toThrowError(
      expect.objectContaining({ code: 'PROTOCOL_SIGNATURE' }),
    )
  })

  it("refuses another's name over one's own signature", () => {
    const forged = signBody(
      { peerId: alice.peerId, sign: (bytes) => mallory.sign(bytes) },
      'announcement',
      utf8('hello'),
    )
    expect(() => openSigned('announcement', forged)).toThrowError(
      expect.objectContaining({ code: 'PROTOCOL_SIGNATURE' }),
    )
  })

  it('refuses every single changed byte', () => {
    const bytes = signBody(alice, 'announcement', utf8('pay 1'))
    for (let i = 0; i < bytes.length; i++) {
      const changed = Uint8Array.from(bytes)
      changed[i]! ^= 1
      expect(() => openSigned('announcement', changed)).toThrowError(
        expect.objectContaining({ code: expect.stringMatching(/^PROTOCOL_/) }),
      )
    }
  })

  it('answers any bytes with a typed error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          openSigned('announcement', bytes)
          return false
        } catch (error) {
          return isCotuneError(error) && error.code.startsWith('PROTOCOL_')
        }
      }),
      { numRuns: 2_000 },
    )
  })
})
