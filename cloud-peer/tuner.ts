import type { EngineInfo } from '#engine'
import type { AdapterWeights, AggregationStrategy } from '#learning/aggregate'
import type { Example } from '#learning/data'
import type { AnswerOptions, ModelDescription, OnProgress, Scores } from '#learning/tuning'

export interface WeightedDelta {
  /** What a device's training changed in the shared adapter. */
  readonly delta: AdapterWeights
  /** Its number of examples. */
  readonly weight: number
}

/** What a peer tells others of a model. */
type Described = Omit<ModelDescription, 'role'>

interface Job {
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

/** The weights that a model is used with; undefined means as shipped. */
export interface Tuned {
  /** The large model's adapter. */
  readonly state?: AdapterWeights | undefined
  /** The proxy model's shared adapter. */
  readonly shared?: AdapterWeights | undefined
}

/**
 * What the cloud peer asks of learning: HostedCloudTuner of #learning/worker. All of it can be repeated: same inputs and seed, same
 * outputs. What must survive a restart is in the values returned. Weights that are given are given away: the caller does not use them again.
 */
export interface Tuner {
  /** SHA-256 of the proxy model's base: what rounds and updates refer to. */
  readonly dpmDigest: string
  /** What it runs on. */
  readonly engine: EngineInfo
  describe(): { readonly llm: Described; readonly dpm: Described }
  aggregate(init: {
    readonly shared: AdapterWeights | undefined
    readonly updates: AsyncIterable<WeightedDelta>
    readonly strategy: AggregationStrategy
  }): Promise<{ readonly shared: AdapterWeights; readonly energyDropped: number }>
  /** Mutual learning between large model and proxy model on public examples. */
  tune(
    init: Job &
      Tuned & {
        readonly examples: readonly Example[]
        readonly round: number
        readonly rounds: number
        readonly seed: string
      },
  ): Promise<{ readonly state: AdapterWeights; readonly shared: AdapterWeights }>
  evaluate(
    init: Job & Tuned & { readonly model: 'llm' | 'dpm'; readonly examples: readonly Example[] },
  ): Promise<Scores>
  answer(
    init: Tuned & {
      readonly model: 'llm' | 'dpm'
      readonly prompt: { readonly instruction: string; readonly input: string }
      readonly signal?: AbortSignal
    } & AnswerOptions,
  ): Promise<string>
  close(): Promise<void>
}
