import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isCotuneError } from '#base'
import { createInvite, inviteId, parseInvite } from '#protocols/membership'
import { createIdentity } from '#protocols/mesh'

const cloud = createIdentity().peerId
const about = {
  runId: 'run-1',
  addresses: [
    `/ip4/192.168.1.10/tcp/4001/p2p/${cloud}`,
    `/dns4/mesh.example/tcp/4001/p2p/${cloud}`,
  ],
  expiresAt: 1_000_000,
}
const code = (expected: string) => expect.objectContaining({ code: expected })

describe('invite', () => {
  it('is one line that holds all a device needs', () => {
    const { text, secret, inviteId: id } = createInvite(about)
    expect(text).toMatch(/^cotune1:[A-Za-z0-9_-]+$/)
    const invite = parseInvite(text, 0)
    expect(invite).toEqual({ ...about, cloudPeerId: cloud, secret })
    expect(inviteId(invite.secret)).toBe(id)
    expect(id).not.toContain(Buffer.from(secret).toString('hex'))
  })

  it('survives the spaces and line breaks of pasting', () => {
    const { text } = createInvite(about)
    expect(parseInvite(`  ${text.slice(0, 40)}\n  ${text.slice(40)}\r\n`, 0).runId).toBe('run-1')
  })

  it('is refused when not copied whole, expired, or no invite at all', () => {
    const { text } = createInvite(about)
    expect(() => parseInvite(text.slice(0, -6), 0)).toThrowError(code('INVITE_CHECKSUM'))
    expect(() => parseInvite(text, 1_000_001)).toThrowError(code('INVITE_EXPIRED'))
    for (const wrong of ['', 'cotune1:', 'cotune1:%%%%%%%%%%', 'hello', text.replace('1', '2')]) {
      expect(() => parseInvite(wrong, 0)).toThrowError(code('INVITE_MALFORMED'))
    }
  })

  it('holds 16 addresses of many, those of this machine only last', () => {
    const addresses = Array.from({ length: 30 }, (_, i) => `/ip4/10.0.0.${i}/tcp/1/p2p/${cloud}`)
    const local = `/ip4/127.0.0.1/tcp/1/p2p/${cloud}`
    const parse = (list: readonly string[]) =>
      parseInvite(createInvite({ ...about, addresses: list }).text, 0).addresses
    expect(parse([local, ...addresses])).toEqual(addresses.slice(0, 16))
    expect(parse([local, ...addresses.slice(0, 2)]).at(-1)).toBe(local)
  })

  it('is not made for addresses of two peers or without one', () => {
    const other = createIdentity().peerId
    for (const addresses of [
      [],
      ['/ip4/1.2.3.4/tcp/1'],
      [...about.addresses, `/ip4/1.2.3.4/tcp/1/p2p/${other}`],
    ]) {
      expect(() => createInvite({ ...about, addresses })).toThrowError(code('PROTOCOL_FIELD'))
    }
  })

  it('answers any text with an INVITE_ error', () => {
    const { text } = createInvite(about)
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.base64String().map((encoded) => `cotune1:${encoded}`),
          fc
            .tuple(fc.nat(text.length - 1), fc.string({ minLength: 1, maxLength: 1 }))
            .map(([at, char]) => text.slice(0, at) + char + text.slice(at + 1)),
        ),
        (input) => {
          try {
            parseInvite(input, 0)
            return input.replace(/\s/g, '') === text
          } catch (error) {
            return isCotuneError(error) && error.code.startsWith('INVITE_')
          }
        },
      ),
      { numRuns: 1_000 },
    )
  })
})
