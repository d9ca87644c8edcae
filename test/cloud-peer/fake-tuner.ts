import {
  type AdapterWeights,
  type AggregationStrategy,
  applyDelta,
  createAggregator,
} from '#learning/aggregate'
import type { TuningProgress } from '#learning/tuning'
import type { Tuned, Tuner } from '../../cloud-peer/tuner.ts'

export const MODULE_A = 'layers.0.q_proj.lora_A.weight'
export const MODULE_B = 'layers.0.q_proj.lora_B.weight'

/** A rank-one adapter [1, 2] x [2, 1] whose numbers say where they come from. */
export function adapterOf(a: number, b: number): AdapterWeights {
  const filled = (shape: readonly number[], value: number) => ({
    dtype: 'float32' as const,
    shape,
    data: new Float32Array(2).fill(value),
  })
  return new Map([
    [MODULE_A, filled([1, 2], a)],
    [MODULE_B, filled([2, 1], b)],
  ])
}

export function levelOf(adapter: AdapterWeights | undefined): number {
  return adapter?.get(MODULE_A)?.data[0] ?? 0
}

/** A phase that the test can make fail or hang. */
export type Hook = (phase: 'aggregate' | 'tune', strategy?: AggregationStrategy) => Promise<void>

/** Does with numbers what the real one does with models: the same inputs give the same outputs. */
export class FakeTuner implements Tuner {
  readonly dpmDigest = 'd0'.repeat(32)
  readonly engine = { executor: 'onnxruntime', provider: 'cpu', probes: [] } as const
  readonly seeds: string[] = []
  readonly #hook: Hook

  constructor(hook: Hook = async () => undefined) {
    this.#hook = hook
  }

  describe(): ReturnType<Tuner['describe']> {
    const model = { family: 'llama', parameters: 4, vocabulary: 8, digest: this.dpmDigest }
    return { llm: model, dpm: model }
  }

  async aggregate(init: Parameters<Tuner['aggregate']>[0]): ReturnType<Tuner['aggregate']> {
    await this.#hook('aggregate', init.strategy)
    const base = init.shared ?? adapterOf(0, 0)
    const aggregator = createAggregator(init.strategy)
    for await (const { delta, weight } of init.updates)
      aggregator.add(applyDelta(base, delta), weight)
    const { weights: shared, energyDropped } = aggregator.finish()
    return { shared, energyDropped }
  }

  async tune(init: Parameters<Tuner['tune']>[0]): ReturnType<Tuner['tune']> {
    this.seeds.push(init.seed)
    init.onProgress?.(progress(1))
    await this.#hook('tune')
    init.signal?.throwIfAborted()
    return { state: adapterOf(levelOf(init.state) + 1, 1), shared: init.shared ?? adapterOf(0, 0) }
  }

  async evaluate(init: Parameters<Tuner['evaluate']>[0]): ReturnType<Tuner['evaluate']> {
    return { em: scoreOf(init), rougeL: 50, examples: init.examples.length, perplexityPerByte: 2 }
  }

  async answer(init: Parameters<Tuner['answer']>[0]): Promise<string> {
    const pieces = [`${init.model}: `, init.prompt.input]
    for (const piece of pieces) init.onToken?.(piece)
    return pieces.join('')
  }

  async close(): Promise<void> {
    // Nothing is held.
  }
}

function scoreOf({ state }: Tuned): number {
  return levelOf(state)
}

function progress(step: number): TuningProgress {
  return { phase: 'saml', model: 'llm', step, steps: 1, loss: 1, tokensPerSecond: 1 }
}
