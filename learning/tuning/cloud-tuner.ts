import { closeOnFailure, createRandom } from '#base'
import {
  type EngineInfo,
  type Executor,
  type OpenExecutorInit,
  type OpenedExecutor,
  openExecutor,
} from '#engine'
import { type AggregationStrategy, applyDelta, createAggregator } from '#learning/aggregate'
import type { Example } from '#learning/data'
import { fromLeaves, type LoraSpec, toLeaves } from '#learning/lora'
import { type AnswerOptions, answerPrompt } from './answer.ts'
import { batchShape } from './batch-shape.ts'
import { type EvaluateInit, evaluateModel } from './evaluate-model.ts'
import { commonInit, Learner } from './learner.ts'
import { learnMutually, teacherShape } from './mutual-learning.ts'
import { type TuningSettings, tuningSettings } from './settings.ts'
import {
  describeModel,
  everyLinear,
  initialAdapter,
  loadTunedModel,
  type ModelDescription,
  SHARED_ADAPTER,
  type TunedModel,
} from './tuned-model.ts'
import type { AdapterWeights, OnProgress, Scores } from './types.ts'

export interface CloudTunerInit {
  /** Folders of Hugging Face style checkpoints. */
  readonly llm: string
  readonly dpm: string
  readonly settings?: unknown
  /** What it runs on. */
  readonly engine?: OpenExecutorInit
}

/** What the cloud peer has learnt so far. */
interface Learnt {
  /** The large model's adapter. */
  readonly state?: AdapterWeights | undefined
  /** The proxy model's shared adapter; undefined before the first round. */
  readonly shared?: AdapterWeights | undefined
}

export interface CloudTuneInit extends Learnt {
  /** Public rows; at most `cloudExamples` of them, another sample each round. */
  readonly examples: readonly Example[]
  /** From 1. */
  readonly round: number
  readonly rounds: number
  readonly seed: string | number
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

const OWN = 'own'

/** The learning of the cloud peer: aggregation of what the devices sent, then mutual learning of large model and proxy. */
export class CloudTuner {
  readonly settings: TuningSettings
  readonly engine: EngineInfo
  readonly #llm: TunedModel
  readonly #dpm: TunedModel
  readonly #executor: Executor
  readonly #spec: LoraSpec
  readonly #llmSpec: LoraSpec

  private constructor(
    llm: TunedModel,
    dpm: TunedModel,
    settings: TuningSettings,
    { executor, info }: OpenedExecutor,
  ) {
    this.#llm = llm
    this.#dpm = dpm
    this.settings = settings
    this.engine = info
    this.#executor = executor
    this.#spec = everyLinear(dpm, settings)
    this.#llmSpec = everyLinear(llm, settings)
  }

  /** @throws CotuneError of loading a checkpoint; TUNING_SETTINGS_INVALID, ENGINE_PROVIDER_MISSING, ENGINE_TENSORFLOW_MISSING */
  static async create(init: CloudTunerInit): Promise<CloudTuner> {
    const settings = tuningSettings(init.settings)
    const llm = await loadTunedModel('llm', init.llm, settings.basePrecision)
    const dpm = await loadTunedModel('dpm', init.dpm, settings.basePrecision)
    return new CloudTuner(llm, dpm, settings, await openExecutor(init.engine ?? {}))
  }

  get dpmDigest(): string {
    return this.#dpm.digest
  }

  describe(): { readonly llm: ModelDescription; readonly dpm: ModelDescription } {
    return { llm: describeModel(this.#llm), dpm: describeModel(this.#dpm) }
  }

  /**
   * Merges the devices' deltas, one at a time, into the next shared adapter.
   *
   * @throws CotuneError AGGREGATE_*
   */
  async aggregate(init: {
    readonly shared: AdapterWeights | undefined
    readonly updates: AsyncIterable<{ readonly delta: AdapterWeights; readonly weight: number }>
    readonly strategy: AggregationStrategy
  }): Promise<{ readonly shared: AdapterWeights; readonly energyDropped: number }> {
    const base = this.#shared(init.shared)
    const aggregator = createAggregator(init.strategy)
    for await (const { delta, weight } of init.updates) {
      aggregator.add(applyDelta(base, delta), weight)
    }
    const { weights, energyDropped } = aggregator.finish()
    return { shared: weights, energyDropped }
  }

  /** One round of mutual learning on public rows. The same arguments give the same result. */
  async tune(init: CloudTuneInit): Promise<{
    readonly state: AdapterWeights
    readonly shared: AdapterWeights
    readonly metrics: Readonly<Record<string, number>>
  }> {
    const { settings } = this
    const [llm, dpm] = await this.#learners()
    try {
      const state = init.state ?? initialAdapter(this.#llm, this.#llmSpec, OWN)
      await llm.write(toLeaves(OWN, state))
      await dpm.write(toLeaves(SHARED_ADAPTER, this.#shared(init.shared)))
      const sample = createRandom(`${init.seed}/cloud/${init.round}`).shuffle(init.examples)
      const { metrics } = await learnMutually({
        ...init,
        examples: sample.slice(0, settings.cloudExamples),
        model: {
          learner: llm,
          learningRate: settings.llmLearningRate,
          kdWeight: settings.modelKdWeight,
        },
        proxy: {
          learner: dpm,
          learningRate: settings.cloudDpmLearningRate,
          kdWeight: settings.dpmKdWeight,
        },
        epochs: settings.cloudEpochs,
        shape: batchShape(settings),
        settings,
      })
      return {
        state: fromLeaves(OWN, await llm.read()),
        shared: fromLeaves(SHARED_ADAPTER, await dpm.read()),
        metrics,
      }
    } finally {
      await llm.close()
      await dpm.close()
    }
  }

  /** Scores a model as it was shipped, or with what of `state` and `shared` is given. */
  async evaluate(
    init: Learnt & {
      readonly model: 'llm' | 'dpm'
      readonly examples: readonly Example[]
      readonly onProgress?: OnProgress
      readonly signal?: AbortSignal
    },
  ): Promise<Scores> {
    const { length } = this.settings
    return evaluateModel({ ...init, ...this.#tuned(init), executor: this.#executor, length })
  }

  /** Answers one prompt. */
  async answer(
    init: Learnt & {
      readonly model: 'llm' | 'dpm'
      readonly prompt: { readonly instruction: string; readonly input: string }
      readonly signal?: AbortSignal
    } & AnswerOptions,
  ): Promise<string> {
    const { length } = this.settings
    return answerPrompt({ ...init, ...this.#tuned(init), executor: this.#executor, length })
  }

  /** Nothing is held between calls; here so that a tuner may hold something one day. */
  async close(): Promise<void> {}

  async #learners(): Promise<readonly [llm: Learner, dpm: Learner]> {
    const common = commonInit(this.#executor, this.settings)
    // The large model has a gate of its own here: most of what the proxy says, it knows better.
    const teacher = teacherShape(this.settings, common.shape, this.settings.gate !== 'none')
    const learner = (model: TunedModel, name: string, spec: LoraSpec) => {
      const adapters = [{ name, spec, trained: true }]
      return Learner.create({ ...common, model, base: 'frozen', adapters, teacher })
    }
    const llm = await learner(this.#llm, OWN, this.#llmSpec)
    const dpm = await closeOnFailure(llm, () => learner(this.#dpm, SHARED_ADAPTER, this.#spec))
    return [llm, dpm]
  }

  #shared(shared: AdapterWeights | undefined): AdapterWeights {
    return shared ?? initialAdapter(this.#dpm, this.#spec, SHARED_ADAPTER)
  }

  #tuned({
    model,
    state,
    shared,
  }: Learnt & { readonly model: 'llm' | 'dpm' }): Pick<EvaluateInit, 'model' | 'tuned'> {
    const adapter =
      model === 'llm'
        ? { name: OWN, spec: this.#llmSpec, weights: state }
        : { name: SHARED_ADAPTER, spec: this.#spec, weights: shared }
    const { weights } = adapter
    return {
      model: model === 'llm' ? this.#llm : this.#dpm,
      tuned: { adapters: weights ? [{ ...adapter, weights }] : [] },
    }
  }
}
