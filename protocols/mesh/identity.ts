import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import {
  privateKeyFromProtobuf,
  privateKeyFromRaw,
  privateKeyToProtobuf,
} from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { CotuneError, concatBytes, EXIT, writeFileAtomic } from '#base'
import type { Signer } from '#protocols/messages'

/**
 * A peer's lasting Ed25519 identity: its name in the mesh, the key of its noise handshakes and of
 * its signatures.
 */
export interface Identity extends Signer {
  readonly privateKey: Ed25519PrivateKey
}

/** A new identity, in memory only. */
export function createIdentity(): Identity {
  const { privateKey } = generateKeyPairSync('ed25519')
  const { d, x } = privateKey.export({ format: 'jwk' })
  const raw = concatBytes([Buffer.from(d ?? '', 'base64url'), Buffer.from(x ?? '', 'base64url')])
  return identityOf(privateKeyFromRaw(raw) as Ed25519PrivateKey)
}

/**
 * The identity kept at `path`, made there (mode 0600) if the file does not exist.
 * @throws IDENTITY_EXPOSED when others could read or change the key, IDENTITY_UNREADABLE when it is
 * no Ed25519 key
 */
export async function loadIdentity(path: string): Promise<Identity> {
  let bytes: Uint8Array
  try {
    await checkPrivate(path)
    bytes = await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    const identity = createIdentity()
    await writeFileAtomic(path, privateKeyToProtobuf(identity.privateKey), 0o600)
    return identity
  }
  try {
    const key = privateKeyFromProtobuf(bytes)
    if (key.type !== 'Ed25519') throw new Error(`a key of type ${key.type}`)
    return identityOf(key)
  } catch (cause) {
    throw new CotuneError('IDENTITY_UNREADABLE', `${path} does not hold an Ed25519 identity.`, {
      hint: 'Restore the file from a backup; or remove it to get a new identity, and join again by invite.',
      exit: EXIT.config,
      cause,
      data: { path },
    })
  }
}

/** Refuses a key file that anybody but its owner may read or write. Shared by all key files. */
export async function checkPrivate(path: string): Promise<void> {
  const { mode } = await stat(path)
  if ((mode & 0o077) === 0) return
  throw new CotuneError('IDENTITY_EXPOSED', `${path} can be read or changed by other users.`, {
    hint: `Run: chmod 600 ${path}. If others may have read it, remove it and join again by invite.`,
    exit: EXIT.config,
    data: { path, mode: (mode & 0o777).toString(8) },
  })
}

function identityOf(privateKey: Ed25519PrivateKey): Identity {
  const key = nodeKey(privateKey)
  return {
    peerId: peerIdFromPrivateKey(privateKey).toString(),
    privateKey,
    sign: (bytes) => new Uint8Array(sign(null, bytes, key)),
  }
}

/** The same key for node:crypto, which signs at once; libp2p's own `sign` may return a promise. */
function nodeKey(privateKey: Ed25519PrivateKey): KeyObject {
  const d = Buffer.from(privateKey.raw.subarray(0, 32)).toString('base64url')
  const x = Buffer.from(privateKey.publicKey.raw).toString('base64url')
  return createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', d, x }, format: 'jwk' })
}
