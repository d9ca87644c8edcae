import type { Clock } from '#base'
import type { Identity } from '#protocols/mesh'
import { packVersion, storeBlob } from '#protocols/transfer'
import type { CloudStore } from '../store/cloud-store.ts'

export interface VersionPackerComponents {
  readonly store: CloudStore
  readonly identity: Identity
  readonly baseDigest: string
  readonly clock: Clock
}

/** A version does not go bad; a manifest must name an end nevertheless. */
const YEAR_MS = 365 * 86_400_000

/** Stores `content` as the signed blob of the version that `round` makes; returns its id. Not announced yet. */
export async function packVersionBlob(
  { store, identity, baseDigest, clock }: VersionPackerComponents,
  content: Uint8Array,
  round: number,
): Promise<string> {
  const packed = packVersion(identity, content, {
    runId: store.run.get().id,
    round,
    baseDigest,
    expiresAt: clock.now() + YEAR_MS,
    counter: round,
  })
  await storeBlob(store.blobs, packed)
  return packed.blobId
}
