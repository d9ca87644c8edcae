import { CotuneError } from '#base'
import type { Manifest } from '#protocols/transfer'
import { tooLarge, wrongRecipient } from './seal-update.ts'

/** What the cloud peer expects of an update in the present round. */
export interface UpdatePolicy {
  readonly runId: string
  readonly round: number
  readonly baseDigest: string
  /** Sealing keys that are valid now. */
  readonly keyIds: readonly string[]
  readonly maxBytes: number
  /** Milliseconds since the epoch. */
  readonly now: number
  /** The member that offered it: only the sender itself may have signed. */
  readonly senderId: string
  /** The highest counter accepted of this sender in this run; undefined before its first update. */
  readonly lastCounter: number | undefined
}

/** How far a device's clock may be off. */
const CLOCK_SKEW_MS = 600_000

/**
 * Refuses an update that must not count, by its manifest alone: before any of it is fetched, and
 * again before it is merged. `lastCounter` is raised in the same transaction in which the update is
 * accepted; then nothing counts twice.
 * @throws UPDATE_BAD_SIGNATURE, UPDATE_WRONG_KIND, UPDATE_WRONG_RUN, UPDATE_WRONG_ROUND,
 * UPDATE_WRONG_BASE, UPDATE_TOO_LARGE, UPDATE_EXPIRED, UPDATE_REPLAYED, SEAL_WRONG_RECIPIENT
 */
export function checkUpdate(manifest: Manifest, policy: UpdatePolicy): void {
  const { blobId, senderId } = manifest
  const refuse = (code: RefusalCode, found: unknown, expected: unknown): never => {
    const { message, hint } = REFUSALS[code]
    throw new CotuneError(code, message, { hint, data: { blobId, senderId, found, expected } })
  }
  if (senderId !== policy.senderId) refuse('UPDATE_BAD_SIGNATURE', senderId, policy.senderId)
  if (manifest.kind !== 'update') refuse('UPDATE_WRONG_KIND', manifest.kind, 'update')
  if (manifest.runId !== policy.runId) refuse('UPDATE_WRONG_RUN', manifest.runId, policy.runId)
  if (manifest.round !== policy.round) refuse('UPDATE_WRONG_ROUND', manifest.round, policy.round)
  if (manifest.baseDigest !== policy.baseDigest) {
    refuse('UPDATE_WRONG_BASE', manifest.baseDigest, policy.baseDigest)
  }
  if (!manifest.seal || !policy.keyIds.includes(manifest.seal.recipientKeyId)) {
    throw wrongRecipient(manifest)
  }
  if (manifest.sizeBytes > policy.maxBytes) throw tooLarge(manifest.sizeBytes, policy.maxBytes)
  if (manifest.expiresAt + CLOCK_SKEW_MS < policy.now) {
    refuse('UPDATE_EXPIRED', manifest.expiresAt, policy.now)
  }
  if (policy.lastCounter !== undefined && manifest.counter <= policy.lastCounter) {
    refuse('UPDATE_REPLAYED', manifest.counter, policy.lastCounter)
  }
}

type RefusalCode = keyof typeof REFUSALS

const REFUSALS = {
  UPDATE_BAD_SIGNATURE: {
    message: 'The update was not signed by the device that offers it.',
    hint: 'Somebody passes on what is not theirs; it was dropped.',
  },
  UPDATE_WRONG_KIND: {
    message: 'The blob is not an update.',
    hint: 'The device runs another version or is faulty; update both sides.',
  },
  UPDATE_WRONG_RUN: {
    message: 'The update belongs to another run.',
    hint: 'The device must join this run by invite.',
  },
  UPDATE_WRONG_ROUND: {
    message: 'The update belongs to another round.',
    hint: 'It came too late or too early; the device takes part in the next round.',
  },
  UPDATE_WRONG_BASE: {
    message: 'The update is relative to other weights.',
    hint: 'The device must fetch the latest version of the proxy model first.',
  },
  UPDATE_EXPIRED: {
    message: 'The update has expired.',
    hint: "It came too late, or the device's clock is wrong.",
  },
  UPDATE_REPLAYED: {
    message: 'This update or a later one of the same device was counted already.',
    hint: 'Nothing is lost: every update counts once.',
  },
} as const
