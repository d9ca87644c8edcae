import { closeOnFailure } from '#base'
import {
  type EngineInfo,
  type Executor,
  type OpenExecutorInit,
  type OpenedExecutor,
  openExecutor,
} from '#engine'
import type { Example } from '#learning/data'
import { fromLeaves, type LoraSpec, toLeaves } from '#learning/lora'
import { adapterDelta } from './adapter-delta.ts'
import { type AnswerOptions, answerPrompt } from './answer.ts'
import { batchShape } from './batch-shape.ts'
import { type EvaluateInit, evaluateModel } from './evaluate-model.ts'
import { commonInit, Learner, type LearnerInit } from './learner.ts'
import {
  learnAlone,
  learnMutually,
  type MutualLearningInit,
  teacherShape,
} from './mutual-learning.ts'
import { type TuningSettings, tuningSettings } from './settings.ts'
import { SmallModel } from './small-model.ts'
import { tuneDomain } from './tune-domain.ts'
import {
  describeModel,
  everyLinear,
  initialAdapter,
  loadTunedModel,
  type ModelDescription,
  SHARED_ADAPTER,
  type TunedModel,
} from './tuned-model.ts'
import type { AdapterWeights, DeviceState, OnProgress, Scores } from './types.ts'

export interface DeviceTunerInit {
  /** Folders of Hugging Face style checkpoints. */
  readonly slm: string
  readonly dpm: string
  readonly settings?: unknown
  /** What it runs on. */
  readonly engine?: OpenExecutorInit
}

export interface TuneInit {
  readonly examples: readonly Example[]
  /** From 1. */
  readonly round: number
  readonly rounds: number
  /** What the device learnt before; nothing in its first round. */
  readonly state?: DeviceState | undefined
  /** The shared adapter p^t as published; nothing before the first round. */
  readonly shared?: AdapterWeights | undefined
  readonly seed: string | number
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

export interface TuneResult {
  readonly state: DeviceState
  /** p_i - p^t: all that leaves the device. */
  readonly delta: AdapterWeights
  readonly examples: number
  readonly slmSteps: number
  readonly metrics: Readonly<Record<string, number>>
}

const DOMAIN = 'domain'

/** The learning of one device: domain-specific tuning, then mutual learning of proxy and small model. */
export class DeviceTuner {
  readonly settings: TuningSettings
  readonly engine: EngineInfo
  readonly #slm: SmallModel
  readonly #dpm: TunedModel
  readonly #executor: Executor
  readonly #spec: LoraSpec

  private constructor(
    slm: TunedModel,
    dpm: TunedModel,
    settings: TuningSettings,
    { executor, info }: OpenedExecutor,
  ) {
    this.#slm = new SmallModel(slm, settings)
    this.#dpm = dpm
    this.settings = settings
    this.engine = info
    this.#executor = executor
    this.#spec = everyLinear(dpm, settings)
  }

  /** @throws CotuneError of loading a checkpoint; TUNING_SETTINGS_INVALID, ENGINE_PROVIDER_MISSING, ENGINE_TENSORFLOW_MISSING */
  static async create(init: DeviceTunerInit): Promise<DeviceTuner> {
    const settings = tuningSettings(init.settings)
    const slm = await loadTunedModel(
      'slm',
      init.slm,
      settings.slm === 'full' ? 'float32' : settings.basePrecision,
    )
    const dpm = await loadTunedModel('dpm', init.dpm, settings.basePrecision)
    return new DeviceTuner(slm, dpm, settings, await openExecutor(init.engine ?? {}))
  }

  get dpmDigest(): string {
    return this.#dpm.digest
  }

  describe(): { readonly slm: ModelDescription; readonly dpm: ModelDescription } {
    return { slm: describeModel(this.#slm.model), dpm: describeModel(this.#dpm) }
  }

  /** One round on the device. The same arguments give the same result. */
  async tune(init: TuneInit): Promise<TuneResult> {
    const shared = init.shared ?? initialAdapter(this.#dpm, this.#spec, SHARED_ADAPTER)
    const { domain, dstLoss } = await this.#tuneDomain(init, shared)
    const common = commonInit(this.#executor, this.settings)
    const { gate } = this.settings
    const slm = await Learner.create({
      ...common,
      ...this.#slm.learner(),
      teacher: teacherShape(this.settings, common.shape, gate === 'both'),
    })
    const dpm = await closeOnFailure(slm, () =>
      Learner.create({
        ...this.#proxy(SHARED_ADAPTER),
        teacher: teacherShape(this.settings, common.shape, gate !== 'none'),
      }),
    )
    try {
      await slm.write(this.#slm.toVariables(init.state?.slm))
      await dpm.write(new Map([...toLeaves(SHARED_ADAPTER, shared), ...toLeaves(DOMAIN, domain)]))
      const { dpmLearningRate, dpmKdWeight } = this.settings
      const learnt = await learnMutually({
        ...this.#schedule(init, slm),
        proxy: { learner: dpm, learningRate: dpmLearningRate, kdWeight: dpmKdWeight },
      })
      return {
        state: { slm: this.#slm.toState(await slm.read()), domain },
        delta: adapterDelta(fromLeaves(SHARED_ADAPTER, await dpm.read()), shared),
        examples: init.examples.length,
        slmSteps: learnt.steps,
        metrics: { ...learnt.metrics, dstLoss },
      }
    } finally {
      await slm.close()
      await dpm.close()
    }
  }

  /** The small model alone, on the same examples, for as many steps as `rounds` rounds would give it. */
  async baseline(
    init: Pick<TuneInit, 'examples' | 'rounds' | 'seed' | 'onProgress' | 'signal'>,
  ): Promise<{ readonly state: DeviceState; readonly slmSteps: number }> {
    const common = commonInit(this.#executor, this.settings)
    const slm = await Learner.create({ ...common, ...this.#slm.learner() })
    try {
      await slm.write(this.#slm.toVariables(undefined))
      let slmSteps = 0
      for (let round = 1; round <= init.rounds; round++) {
        await slm.resetOptimiser()
        const learnt = await learnAlone({
          ...this.#schedule({ ...init, round }, slm),
          proxyTokenizer: this.#dpm.tokenizer,
          phase: 'baseline',
        })
        slmSteps += learnt.steps
      }
      return { state: { slm: this.#slm.toState(await slm.read()), domain: new Map() }, slmSteps }
    } finally {
      await slm.close()
    }
  }

  /** Scores a model as it was shipped, or with what of `state` and `shared` is given. */
  async evaluate(
    init: Pick<TuneInit, 'examples' | 'state' | 'shared' | 'onProgress' | 'signal'> & {
      readonly model: 'slm' | 'dpm'
    },
  ): Promise<Scores> {
    const { length } = this.settings
    return evaluateModel({ ...init, ...this.#tuned(init), executor: this.#executor, length })
  }

  /** Answers one prompt with what the device has learnt. */
  async answer(
    init: Pick<TuneInit, 'state' | 'shared' | 'signal'> & {
      readonly model: 'slm' | 'dpm'
      readonly prompt: { readonly instruction: string; readonly input: string }
    } & AnswerOptions,
  ): Promise<string> {
    const { length } = this.settings
    return answerPrompt({ ...init, ...this.#tuned(init), executor: this.#executor, length })
  }

  /** Nothing is held between calls; here for callers that treat all tuners alike. */
  async close(): Promise<void> {}

  async #tuneDomain(
    init: TuneInit,
    shared: AdapterWeights,
  ): Promise<{ readonly domain: AdapterWeights; readonly dstLoss: number }> {
    const { dstEpochs: epochs, domainLearningRate: learningRate } = this.settings
    const before = init.state?.domain ?? initialAdapter(this.#dpm, this.#spec, DOMAIN)
    const proxy = await Learner.create(this.#proxy(DOMAIN))
    try {
      await proxy.write(new Map([...toLeaves(SHARED_ADAPTER, shared), ...toLeaves(DOMAIN, before)]))
      const shape = batchShape(this.settings)
      const dstLoss = await tuneDomain({ ...init, proxy, epochs, learningRate, shape })
      return { domain: fromLeaves(DOMAIN, await proxy.read()), dstLoss }
    } finally {
      await proxy.close()
    }
  }

  /** The proxy model with both adapters, of which one is trained. */
  #proxy(trained: typeof SHARED_ADAPTER | typeof DOMAIN): LearnerInit {
    return {
      ...commonInit(this.#executor, this.settings),
      model: this.#dpm,
      base: 'frozen',
      adapters: [SHARED_ADAPTER, DOMAIN].map((name) => ({
        name,
        spec: this.#spec,
        trained: name === trained,
      })),
    }
  }

  #schedule(
    init: Pick<TuneInit, 'examples' | 'round' | 'rounds' | 'seed' | 'onProgress' | 'signal'>,
    slm: Learner,
  ): Omit<MutualLearningInit, 'proxy'> {
    const { slmLearningRate, modelKdWeight, samlEpochs } = this.settings
    return {
      ...init,
      model: { learner: slm, learningRate: slmLearningRate, kdWeight: modelKdWeight },
      epochs: samlEpochs,
      shape: batchShape(this.settings),
      settings: this.settings,
    }
  }

  #tuned(init: {
    readonly model: 'slm' | 'dpm'
    readonly state?: DeviceState | undefined
    readonly shared?: AdapterWeights | undefined
  }): Pick<EvaluateInit, 'model' | 'tuned'> {
    if (init.model === 'dpm') {
      const adapters = [
        ...(init.shared ? [{ name: SHARED_ADAPTER, spec: this.#spec, weights: init.shared }] : []),
        ...(init.state?.domain.size
          ? [{ name: DOMAIN, spec: this.#spec, weights: init.state.domain }]
          : []),
      ]
      return { model: this.#dpm, tuned: { adapters } }
    }
    return { model: this.#slm.model, tuned: this.#slm.tuned(init.state?.slm) }
  }
}
