import { createPublicKey, verify } from 'node:crypto'
import { peerIdFromString } from '@libp2p/peer-id'
import { CotuneError, concatBytes, utf8 } from '#base'
import { fixedBytes, shortText } from './fields.ts'
import { LIMITS } from './limits.ts'
import { messageCodec } from './message-codec.ts'
import { SignedSchema } from './signed_pb.ts'

/** What a signature is about. A signature made for one domain is worthless in another. */
export type SignatureDomain = 'membership' | 'revocations' | 'manifest' | 'announcement'

/** Who signs: a peer's Ed25519 identity. */
export interface Signer {
  /** Text form, `12D3KooW...`. */
  readonly peerId: string
  /** The 64-byte Ed25519 signature of `bytes`. */
  sign(bytes: Uint8Array): Uint8Array
}

/** A body whose signature was found good. */
export interface Opened {
  readonly signer: string
  readonly body: Uint8Array
}

const envelope = messageCodec({
  schema: SignedSchema,
  maxBytes: LIMITS.manifestBytes,
  toWire: (value: Opened & { readonly signature: Uint8Array }) => value,
  fromWire: (message) => ({
    signer: shortText(message.signer, LIMITS.peerIdChars, 'signer'),
    body: message.body,
    signature: fixedBytes(message.signature, 64, 'signature'),
  }),
})

/** The bytes of a `Signed` envelope around `body`. */
export function signBody(signer: Signer, domain: SignatureDomain, body: Uint8Array): Uint8Array {
  const signature = signer.sign(signedBytes(domain, body))
  return envelope.encode({ signer: signer.peerId, body, signature })
}

/**
 * The body of a `Signed` envelope and who signed it. That the signer is who it should be is the
 * caller's check.
 * @throws PROTOCOL_SIGNATURE and the codec's errors
 */
export function openSigned(domain: SignatureDomain, bytes: Uint8Array): Opened {
  const { signer, body, signature } = envelope.decode(bytes)
  if (!verifySignature(signer, signedBytes(domain, body), signature)) {
    throw new CotuneError(
      'PROTOCOL_SIGNATURE',
      `The signature of a ${domain} is not ${signer}'s.`,
      {
        hint: 'Somebody forged or changed the message; it was dropped.',
        data: { domain, signer },
      },
    )
  }
  return { signer, body }
}

/**
 * Whether `signature` over `bytes` is that of the Ed25519 key inside `peerId`. False for anything
 * odd.
 */
export function verifySignature(peerId: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  try {
    const id = peerIdFromString(peerId)
    if (id.type !== 'Ed25519' || id.toString() !== peerId) return false
    const x = Buffer.from(id.publicKey.raw).toString('base64url')
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
    return verify(null, bytes, key, signature)
  } catch {
    return false
  }
}

function signedBytes(domain: SignatureDomain, body: Uint8Array): Uint8Array {
  return concatBytes([utf8(`cotune:${domain}:1\0`), body])
}
