import {
  type Clock,
  type CotuneError,
  errorMessage,
  isCotuneError,
  type Logger,
  type Startable,
  Wake,
} from '#base'
import { decodeAdapter } from '#learning/lora'
import type { BlobExchange } from '#protocols/transfer'
import type { CloudStore } from '../store/cloud-store.ts'
import type { Contribution, Offer } from '../store/contributions.ts'
import type { Tuner, WeightedDelta } from '../tuner.ts'
import { sweepBlobs } from './sweep-blobs.ts'
import type { OpenedUpdate, UpdateVault } from './update-vault.ts'

export interface UpdateIntakeComponents {
  readonly store: CloudStore
  readonly exchange: Pick<BlobExchange, 'fetch'>
  readonly vault: UpdateVault
  readonly tuner: Tuner
  /** Who may hold the blob of a device, best first. */
  readonly holders: (device: string) => readonly string[]
  readonly clock: Clock
  readonly logger: Logger
}

export interface UpdateIntakeInit {
  /** Called when something of a contribution is on disk: offered, received or refused. */
  readonly onChange: (contribution: Contribution) => void
  /** Pause before holders are asked again. */
  readonly retryMs?: number
}

/** Updates that are fetched at a time: each is held in memory once, to be verified. */
const AT_A_TIME = 4
/** A device that sends slower than this has its turn again later, with what has arrived. */
const TURN_MS = 15 * 60_000
const IDLE_MS = 60_000

/**
 * Fetches what devices offer, verifies it and counts it. An offer is a row before it is fetched, so a restart goes on with it; what
 * has arrived of it is not fetched again. A bad update is refused and told to its device; it never ends anything here.
 */
export class UpdateIntake implements Startable {
  readonly #components: UpdateIntakeComponents
  readonly #init: UpdateIntakeInit
  readonly #wake = new Wake()
  /** By blob. */
  readonly #underway = new Map<string, Promise<void>>()
  /** Blobs that could not be had, and when to ask again. */
  readonly #retryAt = new Map<string, number>()
  #stopping = new AbortController()
  #loop: Promise<void> = Promise.resolve()

  constructor(components: UpdateIntakeComponents, init: UpdateIntakeInit) {
    this.#components = components
    this.#init = init
  }

  async start(): Promise<void> {
    this.#stopping = new AbortController()
    this.#loop = this.#run(this.#stopping.signal)
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the cloud peer stops'))
    await this.#loop
  }

  /** Holders may have come: what could not be had is asked for again at once. */
  nudge(): void {
    this.#retryAt.clear()
    this.#wake.ring()
  }

  /** Takes a device's offer for the open round; any other, and one that is known, changes nothing. */
  offer(offer: Offer): void {
    const { rounds, contributions } = this.#components.store
    const open = rounds.unfinished()
    if (open?.round !== offer.round || open.phase !== 'collecting') return
    if (!contributions.offer(offer)) return
    const known = contributions.get(offer.round, offer.device)
    if (known) this.#init.onChange(known)
    this.#wake.ring()
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const pending = this.#pending()
      for (const offer of pending) if (this.#isDue(offer)) this.#begin(offer, signal)
      await this.#wake.wait(pending.length > 0 ? this.#retryMs : IDLE_MS, signal)
    }
    await Promise.all(this.#underway.values())
  }

  #pending(): readonly Contribution[] {
    const { store, logger } = this.#components
    try {
      const open = store.rounds.unfinished()
      return open?.phase === 'collecting' ? store.contributions.pending(open.round) : []
    } catch (error) {
      logger.error({ reason: errorMessage(error) }, 'offers cannot be read')
      return []
    }
  }

  #isDue({ blob }: Contribution): boolean {
    if (this.#underway.size >= AT_A_TIME || this.#underway.has(blob)) return false
    return (this.#retryAt.get(blob) ?? 0) <= this.#components.clock.now()
  }

  #begin(offer: Contribution, stopping: AbortSignal): void {
    const signal = AbortSignal.any([stopping, AbortSignal.timeout(TURN_MS)])
    const notNow = (error: unknown) => {
      this.#components.logger.error({ reason: errorMessage(error) }, 'an offer cannot be settled')
      return false
    }
    const turn = this.#take(offer, signal)
      .catch(notNow)
      .then((isSettled) => {
        this.#underway.delete(offer.blob)
        if (isSettled) this.#retryAt.delete(offer.blob)
        else this.#retryAt.set(offer.blob, this.#components.clock.now() + this.#retryMs)
        if (isSettled) this.#wake.ring()
      })
    this.#underway.set(offer.blob, turn)
  }

  get #retryMs(): number {
    return this.#init.retryMs ?? 3_000
  }

  /** Whether the fate of the offer is settled. What it throws is trouble of our own: a full disk. */
  async #take(offer: Contribution, signal: AbortSignal): Promise<boolean> {
    const { store, logger } = this.#components
    const { round, device, blob } = offer
    try {
      await this.#receive(offer, signal)
    } catch (error) {
      if (signal.aborted) return false
      logger.warn({ device, round, blob, reason: errorMessage(error) }, 'an update was not taken')
      // Our own trouble (a holder away, a full disk) passes; what is wrong with the update does not.
      if (!isRefusal(error)) return false
      store.contributions.refuse(round, device, error.code)
      // Not `blob` itself: a device may have named another's.
      await sweepBlobs(store).catch(() => undefined)
    }
    const settled = store.contributions.get(round, device)
    if (settled) this.#init.onChange(settled)
    return true
  }

  async #receive(offer: Contribution, signal: AbortSignal): Promise<void> {
    const { store, exchange, vault, holders } = this.#components
    const accept = (manifest: OpenedUpdate['manifest']) => vault.check(manifest, offer)
    await exchange.fetch(offer.blob, { holders: holders(offer.device), accept, signal })
    const { manifest, content } = await vault.open(offer)
    vault.check(manifest, offer)
    await this.#tryMerging({ delta: content.delta, weight: content.examples })
    store.contributions.accept({
      round: offer.round,
      device: offer.device,
      blob: offer.blob,
      counter: manifest.counter,
      examples: content.examples,
    })
  }

  /** Merges the update alone and drops the result: what does not fit the adapter must not get as far as the others. */
  async #tryMerging(update: WeightedDelta): Promise<void> {
    const { store, tuner } = this.#components
    const digest = store.versions.latest()?.digest
    const shared = digest ? decodeAdapter(await store.states.get(digest)) : undefined
    await tuner.aggregate({ shared, updates: only(update), strategy: 'fedavg' })
  }
}

async function* only<T>(item: T): AsyncGenerator<T> {
  yield item
}

const PASSING = ['BLOB_UNAVAILABLE', 'BLOB_UNKNOWN', 'DISK_FULL', 'DATABASE_UNREADABLE']

function isRefusal(error: unknown): error is CotuneError {
  return isCotuneError(error) && !PASSING.includes(error.code) && !error.code.startsWith('MESH_')
}
