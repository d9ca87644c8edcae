import {
  type Clock,
  CotuneError,
  errorMessage,
  isCotuneError,
  type Logger,
  type Startable,
  sha256Hex,
  storageError,
  Wake,
} from '#base'
import { decodeAdapter } from '#learning/lora'
import type { OnProgress, Scores } from '#learning/tuning'
import type { LedgerEntry } from '#protocols/api'
import type { Learner } from '../learner.ts'
import type { DeviceStore } from '../store/device-store.ts'
import type { RoundRow } from '../store/round-store.ts'
import type { VersionRow } from '../store/version-store.ts'
import type { CloudLink, PublishedVersion, UpdateVerdict } from './cloud-link.ts'
import { judgeVersion, type VersionTolerance } from './judge-version.ts'
import { type Action, nextAction, type Situation, type WaitReason } from './next-action.ts'

export interface RoundRunnerComponents {
  readonly store: DeviceStore
  readonly learner: Learner
  readonly link: CloudLink
  readonly clock: Clock
  readonly logger: Logger
}

/** Who wants to know what the runner did. */
export interface RoundObserver {
  readonly onRound: (row: RoundRow) => void
  readonly onProgress: (row: RoundRow) => OnProgress
  readonly onVersion: (version: VersionRow, scores: Scores | undefined) => void
  readonly onJudging: () => void
  readonly onLedger: (entry: LedgerEntry) => void
  readonly onWaiting: (why: WaitReason) => void
  /** A failure, again and again until it is cleared by `undefined`. */
  readonly onTrouble: (error: CotuneError | undefined) => void
}

export interface RoundRunnerInit extends RoundObserver {
  /** Digest of the proxy model's base on this device. */
  readonly baseDigest: string
  readonly versions: VersionTolerance & { readonly sample: number }
  /** The first pause after a failure; it doubles up to `maxRetryMs`. */
  readonly retryMs?: number
  readonly maxRetryMs?: number
}

/**
 * Takes part in rounds: looks at the rows and at what the cloud peer said, does the one next thing, and looks again. What it did is on
 * disk before the next step depends on it, so that a kill at any point repeats a step and never makes a second update of a round.
 */
export class RoundRunner implements Startable {
  readonly #components: RoundRunnerComponents
  readonly #init: RoundRunnerInit
  readonly #wake = new Wake()
  #stopping = new AbortController()
  #running: Promise<void> | undefined
  #unsubscribe: (() => void) | undefined
  #superseded: (() => void) | undefined
  #lastOffer: { readonly blobId: string; readonly at: number } | undefined
  #failures = 0

  constructor(components: RoundRunnerComponents, init: RoundRunnerInit) {
    this.#components = components
    this.#init = init
  }

  async start(): Promise<void> {
    if (this.#running !== undefined) return
    this.#stopping = new AbortController()
    this.#unsubscribe = this.#components.link.onChange(() => {
      this.#superseded?.()
      this.#wake.ring()
    })
    this.#running = this.#run(this.#stopping.signal)
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.()
    this.#stopping.abort(new Error('the device stops'))
    await this.#running
    this.#running = undefined
  }

  /** Something changed that a decision may depend on: rows were imported. */
  nudge(): void {
    this.#wake.ring()
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#step(signal)
        if (this.#failures > 0) this.#init.onTrouble(undefined)
        this.#failures = 0
      } catch (error) {
        if (!signal.aborted) await this.#recover(error, signal)
      }
    }
  }

  async #step(signal: AbortSignal): Promise<void> {
    const action = nextAction(this.#look())
    if (action.type !== 'wait') return this.#act(action, signal)
    this.#init.onWaiting(action.why)
    await this.#wake.wait(action.ms, signal)
  }

  #look(): Situation {
    const { store, link, clock } = this.#components
    const open = link.openRound()
    const published = link.published()
    const row = open && store.rounds.find(link.runId, open.round)
    const over = published?.version ?? 0
    return {
      now: clock.now(),
      open: open && open.round > over ? open : undefined,
      row,
      finished: store.rounds
        .unfinished(link.runId)
        .filter((round) => round <= over)
        .sort((a, b) => a - b),
      published,
      newest: store.versions.newest(link.runId),
      baseDigest: this.#init.baseDigest,
      hasStart: !open?.startVersion || store.versions.digestOf(open.startVersion) !== undefined,
      trainingExamples: store.examples.count('train'),
      verdict: row?.sealed ? link.verdict(row.sealed) : undefined,
      connected: link.isConnected(),
      lastOfferedAt: this.#lastOffer?.blobId === row?.sealed ? this.#lastOffer?.at : undefined,
    }
  }

  async #act(action: Exclude<Action, { type: 'wait' }>, signal: AbortSignal): Promise<void> {
    const { store } = this.#components
    switch (action.type) {
      case 'note':
        return this.#init.onRound(store.rounds.open(action.terms))
      case 'close':
        return this.#close(action.round)
      case 'refuse':
        return this.#init.onRound(
          store.rounds.refused(action.row.runId, action.row.round, action.reason),
        )
      case 'tune':
        return this.#tune(action.row, signal)
      case 'seal':
        return this.#seal(action.row)
      case 'offer':
        return this.#offer(action.row)
      case 'settle':
        return this.#settle(action.row, action.verdict)
      case 'fetch-version':
        return this.#fetch(action.version, signal)
      case 'judge-version':
        return this.#judge(action.version, signal)
    }
  }

  /** Work for a round that the cloud peer has left is given up. */
  async #tune(row: RoundRow, signal: AbortSignal): Promise<void> {
    const { learner, link } = this.#components
    const superseded = new AbortController()
    this.#superseded = () => {
      const open = link.openRound()
      const isPast = (link.published()?.version ?? 0) >= row.round
      if (isPast || (open && open.round !== row.round)) superseded.abort(roundIsOver(row))
    }
    try {
      const either = AbortSignal.any([signal, superseded.signal])
      this.#init.onRound(await learner.tune(row, this.#init.onProgress(row), either))
    } catch (error) {
      if (!isCotuneError(error, 'ROUND_OVER')) throw error
      this.#components.logger.info({ round: row.round }, error.message)
    } finally {
      this.#superseded = undefined
    }
  }

  async #seal(row: RoundRow): Promise<void> {
    const { store, link, clock } = this.#components
    const delta = decodeAdapter(await store.blobs.read(row.delta ?? ''), 'delta')
    // Not below the time: a device restored from a backup must not count again what it has counted.
    const counter = store.settings.next('update-counter', clock.now())
    const sealed = await link.seal(row, delta, counter)
    // What may be fetched by others is in the ledger before anybody hears of it.
    this.#note({
      kind: 'adapter-delta',
      round: row.round,
      bytes: sealed.sizeBytes,
      sha256: sealed.blobId,
      sealed: true,
    })
    this.#init.onRound(store.rounds.offered(row.runId, row.round, sealed))
  }

  async #offer(row: RoundRow): Promise<void> {
    const { link, clock } = this.#components
    this.#lastOffer = { blobId: row.sealed ?? '', at: clock.now() }
    await link.offer(row, (announcement) =>
      this.#note({
        kind: 'announcement',
        round: row.round,
        bytes: announcement.length,
        sha256: sha256Hex(announcement),
        sealed: false,
      }),
    )
  }

  #settle(row: RoundRow, verdict: UpdateVerdict): void {
    const { rounds } = this.#components.store
    const settled = verdict.accepted
      ? rounds.received(row.runId, row.round)
      : rounds.refused(row.runId, row.round, verdict.reason)
    this.#init.onRound(settled)
  }

  async #close(round: number): Promise<void> {
    const { store, link } = this.#components
    const sealed = store.rounds.find(link.runId, round)?.sealed
    this.#init.onRound(store.rounds.closed(link.runId, round))
    if (sealed) await link.discard(sealed)
  }

  async #fetch(version: PublishedVersion, signal: AbortSignal): Promise<void> {
    const { store, link } = this.#components
    const content = await link.fetchVersion(version, signal)
    decodeAdapter(content, `version ${version.version}`)
    const digest = await store.blobs.write('shared', content)
    store.versions.add(link.runId, version.version, digest, version.blobId)
    // Neighbours may still fetch the one before; nobody starts from an older one.
    const old = store.versions.find(link.runId, version.version - 2)
    if (old) await link.discard(old.blobId)
  }

  async #judge(version: VersionRow, signal: AbortSignal): Promise<void> {
    const { store, learner } = this.#components
    const { sample } = this.#init.versions
    this.#init.onJudging()
    const inUse = store.versions.current(version.runId)?.digest
    const scores =
      sample > 0 ? await learner.compareVersion(inUse, version.digest, sample, signal) : undefined
    const verdict = scores
      ? judgeVersion(scores.before, scores.after, this.#init.versions)
      : { kept: true, reason: 'kept unjudged: there are no held-out rows' }
    const judged = store.versions.judge(version.runId, version.version, {
      ...verdict,
      ...(scores ? { scores: scores.after } : {}),
    })
    this.#init.onVersion(judged, scores?.after)
  }

  #note(entry: Pick<LedgerEntry, 'kind' | 'round' | 'bytes' | 'sha256' | 'sealed'>): void {
    const { store, link, clock } = this.#components
    if (store.ledger.has(link.cloudId, entry.sha256)) return
    const noted = { ...entry, at: clock.now(), to: link.cloudId }
    store.ledger.append(noted)
    this.#init.onLedger(noted)
  }

  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    const { logger } = this.#components
    const { retryMs = 1_000, maxRetryMs = 60_000 } = this.#init
    const typed = typedError(error)
    logger.warn({ code: typed.code, data: typed.data, err: error }, typed.message)
    this.#init.onTrouble(typed)
    await this.#wake.wait(Math.min(maxRetryMs, retryMs * 2 ** this.#failures++), signal)
  }
}

function roundIsOver(row: RoundRow): CotuneError {
  return new CotuneError('ROUND_OVER', `round ${row.round} ended while this device was tuning`, {
    hint: 'the device takes part in the next round; a longer deadline gives slow devices time',
    data: { round: row.round },
  })
}

function typedError(error: unknown): CotuneError {
  const path = (error as { readonly path?: unknown }).path
  const cause = storageError(error, typeof path === 'string' ? path : 'the home of this device')
  if (isCotuneError(cause)) return cause
  return new CotuneError('ROUND_FAILED', `a step of the round failed: ${errorMessage(cause)}`, {
    hint: 'it is tried again by itself; the log has the details',
    cause,
  })
}
