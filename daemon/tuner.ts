import type { EngineInfo } from '#engine'
import type { Example } from '#learning/data'
import type {
  AdapterWeights,
  AnswerOptions,
  DeviceState,
  ModelDescription,
  OnProgress,
  Scores,
} from '#learning/tuning'

/** What a peer tells others of a model. */
type Described = Omit<ModelDescription, 'role'>

interface Work {
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

/** The weights that a model is used with; undefined means as shipped. */
interface Tuned {
  readonly state?: DeviceState | undefined
  /** The proxy model's shared adapter. */
  readonly shared?: AdapterWeights | undefined
}

export interface TuneResult {
  readonly state: DeviceState
  /** What the round changed in the shared adapter: the only thing of it that leaves the device, sealed. */
  readonly delta: AdapterWeights
  /** Examples behind it: its weight among the others. */
  readonly examples: number
  readonly metrics: Readonly<Record<string, number>>
}

/**
 * What a device asks of learning: HostedDeviceTuner of #learning/worker. The same inputs and seed give the same outputs; what must
 * survive a restart is in the values returned. Weights that are given are given away: the caller does not use them again.
 */
export interface Tuner {
  /** SHA-256 of the proxy model's base: what rounds and updates refer to. */
  readonly dpmDigest: string
  /** What it runs on. */
  readonly engine: EngineInfo
  describe(): { readonly slm: Described; readonly dpm: Described }
  /** One round: DST, then SAML. */
  tune(
    init: Work &
      Tuned & {
        readonly examples: readonly Example[]
        readonly round: number
        readonly rounds: number
        readonly seed: string
      },
  ): Promise<TuneResult>
  /** The small model alone: the same examples in the same order, as many steps as `rounds` rounds take. */
  baseline(
    init: Work & {
      readonly examples: readonly Example[]
      readonly rounds: number
      readonly seed: string
    },
  ): Promise<{ readonly state: DeviceState; readonly slmSteps: number }>
  evaluate(
    init: Work & Tuned & { readonly model: 'slm' | 'dpm'; readonly examples: readonly Example[] },
  ): Promise<Scores>
  answer(
    init: Tuned & {
      readonly model: 'slm' | 'dpm'
      readonly prompt: { readonly instruction: string; readonly input: string }
      readonly signal?: AbortSignal
    } & AnswerOptions,
  ): Promise<string>
  close(): Promise<void>
}
