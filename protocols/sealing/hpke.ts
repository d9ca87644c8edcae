import { Chacha20Poly1305 } from '@hpke/chacha20poly1305'
import { CipherSuite, HkdfSha256 } from '@hpke/core'
import { DhkemX25519HkdfSha256 } from '@hpke/dhkem-x25519'
import { utf8 } from '#base'

/**
 * DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305: RFC 9180, the suite of its appendix
 * A.2.
 */
export function hpkeSuite(): CipherSuite {
  return new CipherSuite({
    // In TypeScript and not WebCrypto's, which Node 20 calls experimental.
    kem: new DhkemX25519HkdfSha256(),
    kdf: new HkdfSha256(),
    aead: new Chacha20Poly1305(),
  })
}

/** What HPKE exports for the bulk cipher. */
export interface ContentKey {
  /** 32 bytes. */
  readonly key: Uint8Array
  /** 7 bytes. */
  readonly noncePrefix: Uint8Array
}

const EXPORT_CONTEXT = utf8('cotune:seal:content-key:1')

/**
 * A fresh content key that only the owner of `publicKey` can derive from `enc` (base mode, exported
 * and never sent).
 */
export async function encapsulate(
  publicKey: Uint8Array,
  info: Uint8Array,
): Promise<{ readonly enc: Uint8Array; readonly contentKey: ContentKey }> {
  const suite = hpkeSuite()
  const recipientPublicKey = await suite.kem.deserializePublicKey(Uint8Array.from(publicKey).buffer)
  const context = await suite.createSenderContext({
    recipientPublicKey,
    info: Uint8Array.from(info).buffer,
  })
  return { enc: new Uint8Array(context.enc), contentKey: split(await exportKey(context)) }
}

/** The content key of `enc`. Throws when `enc` is no point of the curve. */
export async function decapsulate(
  privateKey: Uint8Array,
  enc: Uint8Array,
  info: Uint8Array,
): Promise<ContentKey> {
  const suite = hpkeSuite()
  const recipientKey = await suite.kem.deserializePrivateKey(Uint8Array.from(privateKey).buffer)
  const context = await suite.createRecipientContext({
    recipientKey,
    enc: Uint8Array.from(enc).buffer,
    info: Uint8Array.from(info).buffer,
  })
  return split(await exportKey(context))
}

async function exportKey(context: {
  export(context: ArrayBuffer, length: number): Promise<ArrayBuffer>
}): Promise<Uint8Array> {
  return new Uint8Array(await context.export(Uint8Array.from(EXPORT_CONTEXT).buffer, 32 + 7))
}

function split(exported: Uint8Array): ContentKey {
  return { key: exported.slice(0, 32), noncePrefix: exported.slice(32) }
}
