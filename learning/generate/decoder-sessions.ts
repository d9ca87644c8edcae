import { type Executor, type Session, type Tensor, variable, weight } from '#engine'
import { type AdapterLayer, withAdapters } from '#learning/lora'
import { type CausalModel, createScope, type ParameterScope } from '#learning/models'
import { createPrefillProgram, createStepProgram, type DecodingShape } from './decoding-programs.ts'

export interface DecoderSessionsInit {
  readonly model: CausalModel
  readonly weights: ReadonlyMap<string, Tensor>
  /** `frozen`: part of the sessions; `live`: can be set later, as after full tuning. */
  readonly base: 'frozen' | 'live'
  readonly adapters: readonly AdapterLayer[]
  readonly executor: Executor
}

/** Two sessions for prompts of up to a number of tokens. */
export interface DecoderPair {
  readonly shape: DecodingShape
  readonly prefill: Session
  readonly step: Session
}

/** Compiles the programs of a length when first asked for it, and keeps the variables of all of them equal. */
export class DecoderSessions {
  readonly #init: DecoderSessionsInit
  readonly #pairs = new Map<string, Promise<DecoderPair>>()
  readonly #values = new Map<string, Tensor>()

  constructor(init: DecoderSessionsInit) {
    this.#init = init
    if (init.base === 'live')
      for (const name of init.model.parameters.keys())
        this.#values.set(name, init.weights.get(name)!)
  }

  /** The sessions of `shape`. */
  pair(shape: DecodingShape): Promise<DecoderPair> {
    const key = `${shape.batch}x${shape.prompt}`
    const pair = this.#pairs.get(key) ?? this.#compile(shape)
    this.#pairs.set(key, pair)
    return pair
  }

  /** Sets variables: parameters of a live base, leaves of adapters. */
  async write(values: ReadonlyMap<string, Tensor>): Promise<void> {
    for (const [name, value] of values) this.#values.set(name, value)
    for (const pair of this.#pairs.values()) {
      const { prefill, step } = await pair
      await writeVariables(prefill, values)
      await writeVariables(step, values)
    }
  }

  async close(): Promise<void> {
    const pairs = await Promise.all(this.#pairs.values())
    this.#pairs.clear()
    for (const { prefill, step } of pairs) {
      await prefill.close()
      await step.close()
    }
  }

  async #compile(shape: DecodingShape): Promise<DecoderPair> {
    const { model, weights, executor } = this.#init
    const prefillProgram = createPrefillProgram(model, this.#scope(), shape)
    const prefill = await executor.compile(prefillProgram, { weights })
    const step = await executor.compile(createStepProgram(model, this.#scope(), shape), { weights })
    await writeVariables(prefill, this.#values)
    await writeVariables(step, this.#values)
    return { shape, prefill, step }
  }

  #scope(): ParameterScope {
    const { model, base, adapters } = this.#init
    return withAdapters(createScope(base === 'live' ? variable : weight), model, adapters)
  }
}

/** The last tokens' positions and unused adapters may be pruned from a program: only what it has is written. */
async function writeVariables(
  session: Session,
  values: ReadonlyMap<string, Tensor>,
): Promise<void> {
  const { variables } = session.program
  await session.writeVariables(new Map([...values].filter(([name]) => variables.has(name))))
}
