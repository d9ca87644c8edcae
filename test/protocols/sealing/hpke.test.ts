import { existsSync, readFileSync } from 'node:fs'
import { Aes128Gcm, CipherSuite, HkdfSha256 } from '@hpke/core'
import { DhkemX25519HkdfSha256 } from '@hpke/dhkem-x25519'
import { describe, expect, it } from 'vitest'
import { fromHex, packagePath, toHex } from '#base'
import { createSealingKey } from '#protocols/sealing'
import { decapsulate, encapsulate, hpkeSuite } from '../../../protocols/sealing/hpke.ts'

interface Vector {
  readonly mode: number
  readonly kem_id: number
  readonly kdf_id: number
  readonly aead_id: number
  readonly info: string
  readonly skRm: string
  readonly pkRm: string
  readonly enc: string
  readonly encryptions: readonly { pt: string; aad: string; ct: string; seq: number }[]
  readonly exports: readonly { exporter_context: string; L: number; exported_value: string }[]
}

/** Appendix A.2.1 of RFC 9180, in part: the suite that seals updates. */
const RFC_A2 = {
  info: '4f6465206f6e2061204772656369616e2055726e',
  skRm: '8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb',
  enc: '1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a',
  exported: '4bbd6243b8bb54cec311fac9df81841b6fd61f56538a775e7c80a9f40160606e',
  aad: '436f756e742d30',
  pt: '4265617574792069732074727574682c20747275746820626561757479',
  ct: '1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28',
}

const buffer = (hex: string) => Uint8Array.from(fromHex(hex)).buffer

async function recipient(suite: CipherSuite, skRm: string, enc: string, info: string) {
  const recipientKey = await suite.kem.deserializePrivateKey(buffer(skRm))
  return suite.createRecipientContext({ recipientKey, enc: buffer(enc), info: buffer(info) })
}

describe('HPKE', () => {
  it('opens and exports as RFC 9180 A.2.1 says', async () => {
    const context = await recipient(hpkeSuite(), RFC_A2.skRm, RFC_A2.enc, RFC_A2.info)
    const opened = await context.open(buffer(RFC_A2.ct), buffer(RFC_A2.aad))
    expect(toHex(new Uint8Array(opened))).toBe(RFC_A2.pt)
    const exported = await context.export(new ArrayBuffer(0), 32)
    expect(toHex(new Uint8Array(exported))).toBe(RFC_A2.exported)
  })

  const path = packagePath('..', 'shared', 'fixtures', 'hpke', 'rfc9180-x25519.json')
  it.skipIf(!existsSync(path))(
    'agrees with the base-mode vectors of the reference implementation (needs ../shared/fixtures)',
    async () => {
      const vectors = JSON.parse(readFileSync(path, 'utf8')) as readonly Vector[]
      const base = vectors.filter(({ mode, kem_id }) => mode === 0 && kem_id === 32)
      expect(base.length).toBeGreaterThan(0)
      for (const vector of base) {
        const suite =
          vector.aead_id === 3
            ? hpkeSuite()
            : new CipherSuite({
                kem: new DhkemX25519HkdfSha256(),
                kdf: new HkdfSha256(),
                aead: new Aes128Gcm(),
              })
        const context = await recipient(suite, vector.skRm, vector.enc, vector.info)
        for (const { pt, aad, ct, seq } of vector.encryptions.slice(0, 3)) {
          if (seq > 2) continue
          const opened = await context.open(buffer(ct), buffer(aad))
          expect(toHex(new Uint8Array(opened))).toBe(pt)
        }
        for (const { exporter_context, L, exported_value } of vector.exports) {
          const exported = await context.export(buffer(exporter_context), L)
          expect(toHex(new Uint8Array(exported))).toBe(exported_value)
        }
      }
    },
  )

  it('gives both sides one content key, bound to its info and its key pair', async () => {
    const key = createSealingKey()
    const info = new Uint8Array([1, 2, 3])
    const { enc, contentKey } = await encapsulate(key.publicKey, info)
    expect(await decapsulate(key.privateKey, enc, info)).toEqual(contentKey)
    expect(await decapsulate(key.privateKey, enc, new Uint8Array([1, 2]))).not.toEqual(contentKey)
    const other = createSealingKey()
    expect(await decapsulate(other.privateKey, enc, info)).not.toEqual(contentKey)
    expect(contentKey.key).toHaveLength(32)
    expect(contentKey.noncePrefix).toHaveLength(7)
  })
})
