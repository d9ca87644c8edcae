import { CotuneError, sha256Hex } from '#base'
import {
  bounded,
  digestBytes,
  digestHex,
  fieldError,
  fixedBytes,
  LIMITS,
  messageCodec,
  openSigned,
  runIdText,
  type Signer,
  safeInteger,
  shortText,
  signBody,
  timestamp,
} from '#protocols/messages'
import { ManifestCoreSchema, ManifestSchema } from './transfer_pb.ts'

/** Largest blob: 256 MiB. */
export const MAX_BLOB_BYTES = LIMITS.chunks * LIMITS.chunkBytes

/**
 * A sealed update of a device, or a version of the proxy model's adapter that the cloud peer
 * publishes.
 */
export type BlobKind = 'update' | 'version'

/**
 * What a blob is, by its sender's word; the chunk hashes are apart. Digests are lower-case
 * hexadecimal SHA-256.
 */
export interface ManifestCore {
  readonly kind: BlobKind
  readonly runId: string
  readonly round: number
  readonly baseDigest: string
  readonly contentBytes: number
  readonly sizeBytes: number
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
  /** Greater than that of every earlier blob of the same sender. */
  readonly counter: number
  /** Present when the content is sealed. */
  readonly seal?: { readonly recipientKeyId: string; readonly enc: Uint8Array }
}

/** A manifest whose form and signature were found good. */
export interface Manifest extends ManifestCore {
  readonly blobId: string
  readonly senderId: string
  readonly chunkHashes: readonly string[]
  /** The core as it was signed: what a seal is bound to. */
  readonly coreBytes: Uint8Array
}

interface SplitManifest {
  readonly core: Uint8Array
  readonly chunkHashes: readonly string[]
}

const coreCodec = messageCodec({
  schema: ManifestCoreSchema,
  maxBytes: LIMITS.controlBytes,
  toWire: ({ seal, ...core }: ManifestCore) => ({
    ...core,
    baseDigest: digestBytes(core.baseDigest, 'baseDigest'),
    expiresAt: BigInt(core.expiresAt),
    counter: BigInt(core.counter),
    recipientKeyId: seal?.recipientKeyId ?? '',
    enc: seal?.enc ?? new Uint8Array(0),
  }),
  fromWire: (message): ManifestCore => {
    const core = {
      kind: blobKind(message.kind),
      runId: runIdText(message.runId),
      round: safeInteger(message.round, LIMITS.rounds, 'round'),
      baseDigest: digestHex(message.baseDigest, 'baseDigest'),
      contentBytes: safeInteger(message.contentBytes, MAX_BLOB_BYTES, 'contentBytes'),
      sizeBytes: safeInteger(message.sizeBytes, MAX_BLOB_BYTES, 'sizeBytes'),
      expiresAt: timestamp(message.expiresAt, 'expiresAt'),
      counter: safeInteger(message.counter, Number.MAX_SAFE_INTEGER, 'counter'),
    }
    if (message.recipientKeyId === '' && message.enc.length === 0) return core
    const recipientKeyId = shortText(message.recipientKeyId, LIMITS.nameChars, 'recipientKeyId')
    return { ...core, seal: { recipientKeyId, enc: fixedBytes(message.enc, 32, 'enc') } }
  },
})

const manifestCodec = messageCodec({
  schema: ManifestSchema,
  maxBytes: LIMITS.manifestBytes,
  toWire: (value: SplitManifest) => ({
    core: value.core,
    chunkHashes: value.chunkHashes.map((hash) => digestBytes(hash, 'chunkHashes')),
  }),
  fromWire: (message): SplitManifest => ({
    core: message.core,
    chunkHashes: bounded(message.chunkHashes, LIMITS.chunks, 'chunkHashes').map((hash) =>
      digestHex(hash, 'chunkHashes'),
    ),
  }),
})

/** The bytes of a core, which a seal is bound to. */
export function encodeCore(core: ManifestCore): Uint8Array {
  return coreCodec.encode(core)
}

/** Signs a core and the hashes of its chunks: the manifest's bytes and the blob id. */
export function signManifest(
  signer: Signer,
  core: Uint8Array,
  chunkHashes: readonly string[],
): { readonly blobId: string; readonly manifest: Uint8Array } {
  const manifest = signBody(signer, 'manifest', manifestCodec.encode({ core, chunkHashes }))
  return { blobId: sha256Hex(manifest), manifest }
}

/**
 * Reads a manifest and checks its signature and that its sizes agree. Whether its sender may send
 * it is the caller's check.
 * @throws UPDATE_BAD_SIGNATURE and the PROTOCOL_* errors of decoding
 */
export function openManifest(bytes: Uint8Array): Manifest {
  let opened: ReturnType<typeof openSigned>
  try {
    opened = openSigned('manifest', bytes)
  } catch (cause) {
    if (!(cause instanceof CotuneError) || cause.code !== 'PROTOCOL_SIGNATURE') throw cause
    throw new CotuneError('UPDATE_BAD_SIGNATURE', 'The manifest was not signed by its sender.', {
      hint: 'Somebody forged or changed it; it was dropped.',
      cause,
    })
  }
  const { core: coreBytes, chunkHashes } = manifestCodec.decode(opened.body)
  const core = coreCodec.decode(coreBytes)
  const chunks = Math.ceil(core.sizeBytes / LIMITS.chunkBytes)
  if (chunkHashes.length !== chunks || chunks === 0) throw fieldError('chunkHashes', 'one a chunk')
  return { ...core, blobId: sha256Hex(bytes), senderId: opened.signer, chunkHashes, coreBytes }
}

/** Bytes of the chunk at `index`. */
export function chunkLength(manifest: ManifestCore, index: number): number {
  return Math.min(LIMITS.chunkBytes, manifest.sizeBytes - index * LIMITS.chunkBytes)
}

function blobKind(kind: string): BlobKind {
  if (kind === 'update' || kind === 'version') return kind
  throw fieldError('kind', '"update" or "version"')
}
