import { type Clock, CotuneError } from '#base'
import { checkUpdate, openUpdate, type UpdatePolicy } from '#protocols/sealing'
import type { Manifest } from '#protocols/transfer'
import { type AdapterUpdate, decodeUpdate } from '#protocols/update'
import type { SealingKeys } from '../sealing-keys.ts'
import type { CloudStore } from '../store/cloud-store.ts'
import type { Contribution, Offer } from '../store/contributions.ts'
import type { WeightedDelta } from '../tuner.ts'

export interface UpdateVaultComponents {
  readonly store: CloudStore
  readonly keys: SealingKeys
  readonly clock: Clock
}

export interface UpdateVaultInit {
  readonly maxUpdateBytes: number
  /** The most examples that an update is weighed by, whatever its device states. */
  readonly maxWeight: number
}

export interface OpenedUpdate {
  readonly manifest: Manifest
  readonly content: AdapterUpdate
}

/** Sealed updates on disk: they stay sealed there, and are opened one at a time when they are needed. */
export class UpdateVault {
  readonly #components: UpdateVaultComponents
  readonly #init: UpdateVaultInit

  constructor(components: UpdateVaultComponents, init: UpdateVaultInit) {
    this.#components = components
    this.#init = init
  }

  /**
   * Refuses an update by its manifest: wrong sender, run, round, base, key or size, expired, or counted before.
   * @throws CotuneError ROUND_NOT_OPEN, UPDATE_*, SEAL_WRONG_RECIPIENT
   */
  check(manifest: Manifest, offer: Pick<Offer, 'round' | 'device'>): void {
    checkUpdate(manifest, this.#policy(offer))
  }

  /** @throws CotuneError BLOB_UNKNOWN, SEAL_*, UPDATE_* */
  async open(offer: Pick<Offer, 'blob'>): Promise<OpenedUpdate> {
    const { keys, store } = this.#components
    const bytes = await store.blobs.manifest(offer.blob)
    if (!bytes)
      throw new CotuneError('BLOB_UNKNOWN', `There is no manifest of ${offer.blob}.`, {
        hint: 'The file was removed; the device sends a new update in the next round.',
      })
    const opened = await openUpdate(keys.all(), bytes, (index) =>
      store.blobs.chunk(offer.blob, index),
    )
    return { manifest: opened.manifest, content: await decodeUpdate(opened.content) }
  }

  /** An update that counts, with its weight: the examples its device states, up to `maxWeight`. */
  async read(contribution: Contribution): Promise<WeightedDelta> {
    const { content } = await this.open(contribution)
    const examples = contribution.examples ?? content.examples
    return { delta: content.delta, weight: Math.min(examples, this.#init.maxWeight) }
  }

  #policy({ round, device }: Pick<Offer, 'round' | 'device'>): UpdatePolicy {
    const { store, keys, clock } = this.#components
    const open = store.rounds.unfinished()
    if (open?.round !== round || open.phase !== 'collecting')
      throw new CotuneError('UPDATE_LATE', `Round ${round} is not collecting.`, {
        hint: 'The update is not counted; the device takes part again in the next round.',
        data: { round, device },
      })
    return {
      runId: store.run.get().id,
      round,
      baseDigest: open.baseDigest,
      keyIds: keys.all().map(({ keyId }) => keyId),
      maxBytes: this.#init.maxUpdateBytes,
      now: clock.now(),
      senderId: device,
      lastCounter: store.contributions.counterOf(device) || undefined,
    }
  }
}
