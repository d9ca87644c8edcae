import {
  type Clock,
  CotuneError,
  errorMessage,
  isCotuneError,
  type JobQueue,
  type Logger,
  type Startable,
  Wake,
} from '#base'
import type { AdapterWeights } from '#learning/aggregate'
import { decodeAdapter, encodeAdapter } from '#learning/lora'
import type { TuningProgress } from '#learning/tuning'
import type { CloudStore } from '../store/cloud-store.ts'
import type { Contribution } from '../store/contributions.ts'
import type { RoundRow } from '../store/rounds.ts'
import type { Tuner, WeightedDelta } from '../tuner.ts'
import { replayRound } from './replay-round.ts'
import { type TermsInit, termsOf } from './terms.ts'

export interface RoundRunnerComponents {
  readonly store: CloudStore
  readonly tuner: Tuner
  readonly jobs: JobQueue
  /** Unseals an update that was received. @throws CotuneError when its file is missing or damaged */
  readonly openUpdate: (contribution: Contribution) => Promise<WeightedDelta>
  /** Stores the bytes of a version as a blob that members can pull; returns its id. */
  readonly packVersion: (content: Uint8Array, round: number) => Promise<string>
  /** What updates are sealed to, and how large they may be. */
  readonly sealing: () => Pick<TermsInit, 'sealingKey' | 'maxUpdateBytes'>
  /** Peer ids of the members that are connected. */
  readonly online: () => readonly string[]
  readonly clock: Clock
  readonly logger: Logger
}

export interface RoundRunnerInit {
  /** Called after every change of a round: a phase, an update that came in. */
  readonly onRound?: (round: RoundRow) => void
  readonly onProgress?: (round: number, progress: TuningProgress) => void
  /** Called when a round failed for a reason of ours, again and again until it is cleared by `undefined`. */
  readonly onTrouble?: (error: unknown | undefined) => void
  /** The first pause after a failure; it doubles up to a minute. */
  readonly retryMs?: number
}

/** As often as this a failing phase is repeated before the run is paused for a person to look. */
const MAX_FAILURES = 3
const MAX_RETRY_MS = 60_000

/**
 * Leads the rounds, one phase at a time: collect, aggregate, tune with the large model, publish. What it decides is a row before it
 * acts on it, so that after a kill at any point it repeats the phase that was under way, on the same inputs.
 */
export class RoundRunner implements Startable {
  readonly #components: RoundRunnerComponents
  readonly #init: RoundRunnerInit
  readonly #wake = new Wake()
  #stopping = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #failures = 0

  constructor(components: RoundRunnerComponents, init: RoundRunnerInit = {}) {
    this.#components = components
    this.#init = init
  }

  async start(): Promise<void> {
    this.#stopping = new AbortController()
    this.#running = this.#run(this.#stopping.signal)
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the cloud peer stops'))
    await this.#running
  }

  /**
   * The round to work on now, opened if there is none: after rounds were asked for.
   * @throws CotuneError ROUND_NOT_OPEN when none was asked for
   */
  begin(): RoundRow {
    const round = this.#components.store.rounds.unfinished() ?? this.#openNext()
    this.#wake.ring()
    if (round) return round
    throw new CotuneError('ROUND_NOT_OPEN', 'No round is left to run.', {
      hint: 'Ask for some: `cotune round start --rounds N`.',
    })
  }

  /** Something changed that a decision may depend on: an update, a connection, the run. */
  nudge(): void {
    this.#wake.ring()
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#step(signal)
        if (this.#failures > 0) this.#init.onTrouble?.(undefined)
        this.#failures = 0
      } catch (error) {
        if (!signal.aborted) await this.#recover(error, signal)
      }
    }
  }

  /** One phase of one round, or the wait for something to do. */
  async #step(signal: AbortSignal): Promise<void> {
    const round = this.#components.store.rounds.unfinished() ?? this.#openNext()
    if (!round) return this.#wake.wait(MAX_RETRY_MS, signal)
    if (round.phase === 'collecting') return this.#collect(round, signal)
    if (round.phase === 'aggregating') return this.#aggregate(round)
    return this.#tune(round, signal)
  }

  #openNext(): RoundRow | undefined {
    const { store, tuner, clock } = this.#components
    const run = store.run.get()
    const version = store.versions.latest()
    const next = (version?.version ?? 0) + 1
    if (!run.running || next > run.rounds) return undefined
    const round = store.rounds.open({
      round: next,
      quorum: run.quorum,
      strategy: run.strategy,
      baseDigest: tuner.dpmDigest,
      adapterDigest: version?.digest ?? '',
      deadline: clock.now() + run.deadlineMs,
    })
    this.#init.onRound?.(round)
    return round
  }

  async #collect(round: RoundRow, signal: AbortSignal): Promise<void> {
    const { store, clock, sealing } = this.#components
    if (!store.run.get().running) return this.#abort('stopped by the operator')
    const received = store.contributions.received(round.round)
    const expected = Math.max(round.quorum, received.length + this.#awaited(round.round))
    const terms = termsOf(round, store, { ...sealing(), expected })
    const state = replayRound(terms, received, clock.now())
    if (state.phase === 'aggregating') return this.#changed(store.rounds.beginAggregation())
    if (state.phase === 'aborted') return this.#abort(`quorum missed: ${state.reason}`)
    return this.#wake.wait(round.deadline - clock.now(), signal)
  }

  /** Members that are here and may still send an update for the round. */
  #awaited(round: number): number {
    const { store, online } = this.#components
    return online().filter((device) => {
      const state = store.contributions.get(round, device)?.state
      return state === undefined || state === 'offered'
    }).length
  }

  async #aggregate({ round, quorum, strategy }: RoundRow): Promise<void> {
    const { store, tuner, jobs } = this.#components
    const shared = await this.#adapter(store.versions.latest()?.digest)
    const merged = await jobs.run(`merging round ${round}`, () =>
      tuner.aggregate({ shared, updates: this.#updatesOf(round), strategy }),
    )
    if (store.contributions.received(round).length < quorum)
      return this.#abort('quorum missed: a stored update turned out damaged')
    const digest = await store.states.put(encodeAdapter(merged.shared))
    this.#changed(store.rounds.beginTuning(digest, merged.energyDropped))
  }

  /** Opens the stored updates one after the other, always in the same order. A damaged one is taken out, not merged. */
  async *#updatesOf(round: number): AsyncGenerator<WeightedDelta> {
    const { store, openUpdate, logger } = this.#components
    for (const contribution of store.contributions.received(round)) {
      try {
        yield await openUpdate(contribution)
      } catch (error) {
        if (!isCotuneError(error)) throw error
        logger.error({ device: contribution.device, code: error.code }, 'stored update is damaged')
        store.contributions.exclude(round, contribution.device, error.code)
      }
    }
  }

  async #tune({ round, mergedDigest }: RoundRow, signal: AbortSignal): Promise<void> {
    const { store, tuner, jobs, packVersion } = this.#components
    const merged = await this.#adapter(mergedDigest)
    const previous = store.versions.latest()?.llmState ?? null
    const examples = await store.examples.training()
    const run = store.run.get()
    let tuned = { state: await this.#adapter(previous), shared: merged }
    if (examples.length > 0)
      tuned = await jobs.run(
        `tuning round ${round}`,
        (either) =>
          tuner.tune({
            ...tuned,
            examples,
            round,
            rounds: run.rounds,
            seed: `${run.id}/${round}`,
            onProgress: (progress) => this.#init.onProgress?.(round, progress),
            signal: either,
          }),
        signal,
      )
    const bytes = encodeAdapter(tuned.shared ?? new Map())
    const published = store.rounds.publish({
      digest: await store.states.put(bytes),
      blob: await packVersion(bytes, round),
      sizeBytes: bytes.length,
      llmState: tuned.state ? await store.states.put(encodeAdapter(tuned.state)) : null,
    })
    this.#changed(published)
  }

  async #adapter(digest: string | null | undefined): Promise<AdapterWeights | undefined> {
    return digest ? decodeAdapter(await this.#components.store.states.get(digest)) : undefined
  }

  #abort(reason: string): void {
    this.#changed(this.#components.store.rounds.abort(reason))
  }

  #changed(round: RoundRow): void {
    this.#components.logger.info({ ...round }, `round ${round.round} is ${round.phase}`)
    this.#init.onRound?.(round)
  }

  /** A phase is repeated after a pause; when that does not help the try is given up and the run waits for a person. */
  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#components
    this.#failures++
    logger.error({ err: error, failures: this.#failures }, 'a round failed')
    this.#init.onTrouble?.(error)
    if (this.#failures >= MAX_FAILURES && this.#giveUp(error)) return
    const pause = (this.#init.retryMs ?? 2_000) * 2 ** (this.#failures - 1)
    await clock.sleep(Math.min(pause, MAX_RETRY_MS), signal).catch(() => undefined)
  }

  /** Whether it could be written down; on a full disk it cannot, and the phase is tried again. */
  #giveUp(error: unknown): boolean {
    const { store, logger } = this.#components
    try {
      store.run.pause()
      if (store.rounds.unfinished()) this.#abort(`failed: ${errorMessage(error)}`)
      this.#failures = 0
      return true
    } catch (failure) {
      logger.error({ err: failure }, 'a failed round could not be given up')
      return false
    }
  }
}
