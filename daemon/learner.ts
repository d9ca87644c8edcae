import { CotuneError, EXIT, type JobQueue } from '#base'
import { type Example, readExamples } from '#learning/data'
import { adapterParts, decodeAdapter } from '#learning/lora'
import type { AdapterWeights, DeviceState, OnProgress, Scores } from '#learning/tuning'
import type { ChatRequest, EvaluateRequest } from '#protocols/api'
import type { DeviceStore } from './store/device-store.ts'
import type { RoundRow } from './store/round-store.ts'
import type { Tuner } from './tuner.ts'

export interface LearnerComponents {
  readonly store: DeviceStore
  readonly tuner: Tuner
  readonly jobs: JobQueue
}

export interface LearnerInit {
  /** Names the device's streams of random numbers: the same rows and seed give the same update. */
  readonly seed: string
}

interface Weights {
  readonly state?: DeviceState | undefined
  readonly shared?: AdapterWeights | undefined
}

/**
 * What this device does with its models, one job at a time: it finds the weights that a job needs among the stored ones, and has
 * what must not be lost on disk before it resolves.
 */
export class Learner {
  readonly #store: DeviceStore
  readonly #tuner: Tuner
  readonly #jobs: JobQueue
  readonly #seed: string

  constructor(components: LearnerComponents, init: LearnerInit) {
    this.#store = components.store
    this.#tuner = components.tuner
    this.#jobs = components.jobs
    this.#seed = init.seed
  }

  /** Tunes a round; state and delta are on disk and the row says so when it resolves. */
  tune(row: RoundRow, onProgress: OnProgress, signal: AbortSignal): Promise<RoundRow> {
    const { blobs, examples, metrics, rounds, versions } = this.#store
    const job = async (either: AbortSignal) => {
      const result = await this.#tuner.tune({
        examples: await examples.read('train'),
        round: row.round,
        // A run without a planned end never cools down.
        rounds: Math.max(row.rounds, row.round),
        state: await this.#stateOf(rounds.lastTuned(this.#models(), row)),
        shared: await this.#adapter(versions.digestOf(row.startVersion)),
        seed: this.#seed,
        onProgress,
        signal: either,
      })
      const files = await this.#writeState(result.state)
      const delta = await blobs.write('delta', adapterParts(result.delta))
      metrics.add(result.metrics, row)
      const { slmDigest } = this.#models()
      const { examples: weight } = result
      return rounds.tuned(row.runId, row.round, { ...files, slmDigest, delta, examples: weight })
    }
    return this.#jobs.run(`round ${row.round}`, job, signal)
  }

  /** The small model alone, on the same rows with as many steps as `rounds` rounds; resolves to the steps. */
  baseline(rounds: number, onProgress: OnProgress, signal: AbortSignal): Promise<number> {
    const job = async (either: AbortSignal) => {
      const { state, slmSteps } = await this.#tuner.baseline({
        examples: await this.#trainingExamples(),
        rounds,
        seed: this.#seed,
        onProgress,
        signal: either,
      })
      const { slmState } = await this.#writeState(state)
      this.#store.settings.set({ [this.#baselineName()]: slmState })
      return slmSteps
    }
    return this.#jobs.run('baseline', job, signal)
  }

  evaluate(request: EvaluateRequest, onProgress: OnProgress, signal: AbortSignal): Promise<Scores> {
    const model = ownModel(request.model)
    const job = async (either: AbortSignal) =>
      this.#tuner.evaluate({
        model,
        ...(await this.#weights(model, request.label)),
        examples: await this.#evaluationExamples(request.path),
        onProgress,
        signal: either,
      })
    return this.#jobs.run('evaluation', job, signal)
  }

  /** Scores of the proxy model with the version in use and with `digest`, on the first held-out rows. */
  async compareVersion(
    inUse: string | undefined,
    digest: string,
    sample: number,
    signal: AbortSignal,
  ): Promise<{ readonly before: Scores; readonly after: Scores } | undefined> {
    const examples = await this.#store.examples.read('evaluation', sample)
    if (examples.length === 0) return undefined
    const job = async (either: AbortSignal) => {
      const row = this.#store.rounds.lastTuned(this.#models())
      const score = async (shared: string | undefined) =>
        this.#tuner.evaluate({
          model: 'dpm',
          // Read each time: what a tuner is given is the tuner's.
          state: await this.#stateOf(row),
          shared: await this.#adapter(shared),
          examples,
          signal: either,
        })
      return { before: await score(inUse), after: await score(digest) }
    }
    return this.#jobs.run('judging a version', job, signal)
  }

  /** The answer of the weights in use; `onToken` is told its text as it comes. */
  answer(
    request: ChatRequest,
    onToken: (text: string) => void,
    signal: AbortSignal,
  ): Promise<string> {
    const model = ownModel(request.model ?? 'slm')
    const { instruction = '', prompt: input, sampling, stop } = request
    const job = async (either: AbortSignal) =>
      this.#tuner.answer({
        model,
        ...(await this.#weights(model, 'cotuned')),
        prompt: { instruction, input },
        ...(sampling && { sampling }),
        ...(stop && { stop }),
        onToken,
        signal: either,
      })
    return this.#jobs.run('answer', job, signal)
  }

  async #weights(model: 'slm' | 'dpm', label: EvaluateRequest['label']): Promise<Weights> {
    if (label === 'before') return {}
    if (label === 'standalone') return { state: await this.#baselineState(model) }
    const { membership, rounds, versions } = this.#store
    const run = membership.read()
    return {
      state: await this.#stateOf(rounds.lastTuned(this.#models())),
      shared: run && (await this.#adapter(versions.current(run.runId)?.digest)),
    }
  }

  async #baselineState(model: 'slm' | 'dpm'): Promise<DeviceState> {
    const slm = await this.#adapter(this.#store.settings.get(this.#baselineName()))
    if (slm && model === 'slm') return { slm, domain: new Map() }
    throw new CotuneError(
      'EVALUATE_NO_BASELINE',
      `there is no standalone ${model} on this device`,
      {
        hint: 'only the small model has a standalone baseline; train it first: POST /v1/baseline',
        exit: EXIT.data,
      },
    )
  }

  /** The setting that names the file of the standalone small model. */
  #baselineName(): string {
    return `baseline.${this.#models().slmDigest}`
  }

  #models() {
    return { baseDigest: this.#tuner.dpmDigest, slmDigest: this.#tuner.describe().slm.digest }
  }

  async #stateOf(row: RoundRow | undefined): Promise<DeviceState | undefined> {
    const slm = await this.#adapter(row?.slmState)
    const domain = await this.#adapter(row?.domain)
    return slm && domain && { slm, domain }
  }

  async #adapter(digest: string | null | undefined): Promise<AdapterWeights | undefined> {
    return digest ? decodeAdapter(await this.#store.blobs.read(digest), digest) : undefined
  }

  async #writeState(state: DeviceState) {
    const { blobs } = this.#store
    return {
      slmState: await blobs.write('slm-state', adapterParts(state.slm)),
      domain: await blobs.write('domain', adapterParts(state.domain)),
    }
  }

  async #trainingExamples(): Promise<readonly Example[]> {
    const examples = await this.#store.examples.read('train')
    if (examples.length > 0) return examples
    throw new CotuneError('DATA_NONE', 'this device has no rows to train on', {
      hint: 'import some: cotune data import FILE --name NAME',
      exit: EXIT.data,
    })
  }

  async #evaluationExamples(path: string | undefined): Promise<readonly Example[]> {
    const examples =
      path === undefined ? await this.#store.examples.read('evaluation') : await readExamples(path)
    if (examples.length > 0) return examples
    throw new CotuneError('DATA_NONE', 'there are no rows to evaluate on', {
      hint: 'import some with --use evaluation, or give a JSONL file',
      exit: EXIT.data,
    })
  }
}

function ownModel(model: EvaluateRequest['model']): 'slm' | 'dpm' {
  if (model !== 'llm') return model
  throw new CotuneError('MODEL_NOT_HERE', 'the large model lives on the cloud peer', {
    hint: 'choose slm or dpm, or ask the cloud peer: --home of the cloud peer',
    exit: EXIT.usage,
  })
}
