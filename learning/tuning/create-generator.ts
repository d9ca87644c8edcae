import { closeOnFailure } from '#base'
import type { Executor } from '#engine'
import { Generator } from '#learning/generate'
import { type Tuned, withParameters } from './tuned.ts'
import type { TunedModel } from './tuned-model.ts'

export interface CreateGeneratorInit {
  readonly model: TunedModel
  readonly tuned?: Tuned
  readonly executor: Executor
  /** Tokens of a prompt, as far as the model's context leaves room for an answer. */
  readonly length: number
  /** Prompts answered together, at most. */
  readonly batch: number
}

const MAX_NEW = 40

/** A generator with everything that lies on top of the base. */
export async function createGenerator(init: CreateGeneratorInit): Promise<Generator> {
  const { model, tuned = {}, executor, length, batch } = init
  const { adapters = [] } = tuned
  const { contextLength } = model.checkpoint.model.config
  const maxNew = Math.min(MAX_NEW, Math.floor(contextLength / 2))
  const generator = await Generator.create({
    checkpoint: withParameters(model, tuned),
    adapters,
    executor,
    batch,
    maxPrompt: Math.min(length, contextLength - maxNew),
    maxNew,
  })
  return closeOnFailure(generator, async () => {
    for (const { name, weights } of adapters) await generator.setAdapter(name, weights)
    return generator
  })
}
