import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock, Startable } from '#base'
import { loadSealingKey, type SealingKey } from '#protocols/sealing'
import type { KeyEpoch, KeyEpochs } from './store/key-epochs.ts'

export interface SealingKeysComponents {
  readonly epochs: KeyEpochs
  readonly clock: Clock
}

export interface SealingKeysInit {
  /** Folder of the private keys, one file of mode 0600 each. */
  readonly folder: string
  readonly epochMs: number
}

/**
 * The keys that devices seal updates to. A new pair each epoch; an old private key is deleted one epoch after its end, so that what was
 * sealed to it long ago stays closed even to who takes this machine.
 */
export class SealingKeys implements Startable {
  readonly #components: SealingKeysComponents
  readonly #init: SealingKeysInit
  #keys: readonly SealingKey[] = []

  constructor(components: SealingKeysComponents, init: SealingKeysInit) {
    this.#components = components
    this.#init = init
  }

  async start(): Promise<void> {
    await this.rotate()
  }

  async stop(): Promise<void> {
    this.#keys = []
  }

  /** Those that updates may be sealed to, newest last. */
  all(): readonly SealingKey[] {
    return this.#keys
  }

  /** The one to seal to now. */
  current(): SealingKey {
    const key = this.#keys.at(-1)
    if (!key) throw new Error('the sealing keys are not loaded')
    return key
  }

  /** Begins a new epoch when the last is over and deletes keys that nothing can be sealed to any more. */
  async rotate(): Promise<void> {
    const { epochs, clock } = this.#components
    const now = clock.now()
    for (const epoch of epochs.kept())
      if (epoch.notAfter + this.#init.epochMs < now || !existsSync(this.#path(epoch)))
        await this.#forget(epoch)
    const last = epochs.kept().at(-1)
    if (!last || last.notAfter <= now) await this.#begin(now)
    this.#keys = await Promise.all(epochs.kept().map((epoch) => loadSealingKey(this.#path(epoch))))
  }

  async #begin(now: number): Promise<void> {
    const file = `${now}.key`
    // The file first: a row must not promise a key that a crash kept from being written.
    const { keyId, publicKey } = await loadSealingKey(this.#path({ file }))
    this.#components.epochs.add({
      keyId,
      publicKey,
      file,
      notBefore: now,
      notAfter: now + this.#init.epochMs,
    })
  }

  async #forget(epoch: KeyEpoch): Promise<void> {
    await rm(this.#path(epoch), { force: true })
    this.#components.epochs.markDeleted(epoch.keyId)
  }

  #path({ file }: Pick<KeyEpoch, 'file'>): string {
    return join(this.#init.folder, file)
  }
}
