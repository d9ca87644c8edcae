import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { CotuneError, EXIT, sha256Hex, writeFileAtomic } from '#base'
import { checkPrivate } from '#protocols/mesh'

/** The public half of the cloud peer's sealing key: who has it can seal to the cloud peer. */
export interface SealingPublicKey {
  /** The first 16 hexadecimal characters of the key's SHA-256: which key a blob was sealed to. */
  readonly keyId: string
  /** X25519, 32 bytes. */
  readonly publicKey: Uint8Array
}

export interface SealingKey extends SealingPublicKey {
  /** X25519, 32 bytes. */
  readonly privateKey: Uint8Array
}

/** A new X25519 key for HPKE. */
export function createSealingKey(): SealingKey {
  const { privateKey } = generateKeyPairSync('x25519')
  const { d, x } = privateKey.export({ format: 'jwk' })
  const publicKey = new Uint8Array(Buffer.from(x ?? '', 'base64url'))
  return {
    keyId: sealingKeyId(publicKey),
    publicKey,
    privateKey: new Uint8Array(Buffer.from(d ?? '', 'base64url')),
  }
}

export function sealingKeyId(publicKey: Uint8Array): string {
  return sha256Hex(publicKey).slice(0, 16)
}

/**
 * The key kept at `path` (its 32 bytes), made there (mode 0600) if the file does not exist.
 * @throws IDENTITY_EXPOSED, SEAL_KEY_UNREADABLE
 */
export async function loadSealingKey(path: string): Promise<SealingKey> {
  let bytes: Uint8Array
  try {
    await checkPrivate(path)
    bytes = new Uint8Array(await readFile(path))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    const key = createSealingKey()
    await writeFileAtomic(path, key.privateKey, 0o600)
    return key
  }
  if (bytes.length !== 32) throw unreadable(path)
  const publicKey = publicKeyOf(bytes)
  return { keyId: sealingKeyId(publicKey), publicKey, privateKey: bytes }
}

function publicKeyOf(privateKey: Uint8Array): Uint8Array {
  // PKCS #8 of an X25519 key is this prefix and the 32 bytes (RFC 8410).
  const prefix = Buffer.from('302e020100300506032b656e04220420', 'hex')
  const key = createPrivateKey({
    key: Buffer.concat([prefix, privateKey]),
    format: 'der',
    type: 'pkcs8',
  })
  const { x } = createPublicKey(key).export({ format: 'jwk' })
  return new Uint8Array(Buffer.from(x ?? '', 'base64url'))
}

function unreadable(path: string): CotuneError {
  return new CotuneError('SEAL_KEY_UNREADABLE', `${path} does not hold a sealing key.`, {
    hint: 'Restore the file from a backup; without it, updates sealed to it cannot be opened.',
    exit: EXIT.config,
    data: { path },
  })
}
