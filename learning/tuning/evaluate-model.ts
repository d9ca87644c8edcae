import { closeOnFailure } from '#base'
import type { Executor, Tensor } from '#engine'
import { type Example, encodeExample, packExamples } from '#learning/data'
import { scorePredictions } from '#learning/evaluate'
import { Generator } from '#learning/generate'
import { type AdapterLayer, type AdapterWeights, toLeaves } from '#learning/lora'
import { renderPrompt } from '#learning/text'
import { ForwardPass } from '#learning/train'
import { batchShape } from './steps.ts'
import type { TunedModel } from './tuned-model.ts'
import type { OnProgress, Scores } from './types.ts'

/** What lies on top of a base. */
export interface Tuned {
  /** Parameters that replace the base's own, after full tuning. */
  readonly parameters?: ReadonlyMap<string, Tensor>
  readonly adapters?: readonly TunedAdapter[]
}

export interface TunedAdapter extends AdapterLayer {
  readonly weights: AdapterWeights
}

export interface EvaluateInit {
  readonly model: TunedModel
  readonly tuned?: Tuned
  readonly examples: readonly Example[]
  readonly executor: Executor
  /** Tokens of a row when the perplexity is measured, and nearly those of a prompt. */
  readonly length?: number
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

const MAX_NEW = 40
const BATCH = 32

/**
 * Exact match and Rouge-L of greedy answers, and the perplexity per UTF-8 byte of the references, which is comparable between
 * tokenizers.
 */
export async function evaluateModel(init: EvaluateInit): Promise<Scores> {
  const predictions = await predict(init)
  const { em, rougeL } = scorePredictions(init.examples, predictions)
  return {
    em,
    rougeL,
    examples: init.examples.length,
    perplexityPerByte: await perplexityPerByte(init),
  }
}

async function predict(init: EvaluateInit): Promise<string[]> {
  const { model, examples, onProgress, signal } = init
  const generator = await createGenerator({ ...init, batch: BATCH })
  const started = Date.now()
  try {
    return await generator.generate(examples.map(renderPrompt), {
      onProgress: (done) =>
        onProgress?.({
          phase: 'evaluate',
          model: model.role,
          step: done,
          steps: examples.length,
          loss: Number.NaN,
          tokensPerSecond: (1000 * done) / Math.max(1, Date.now() - started),
        }),
      ...(signal ? { signal } : {}),
    })
  } finally {
    await generator.close()
  }
}

/** A generator with everything that lies on top of the base. */
export async function createGenerator(
  init: Pick<EvaluateInit, 'model' | 'tuned' | 'executor' | 'length'> & { readonly batch: number },
): Promise<Generator> {
  const { model, tuned = {}, executor, batch } = init
  const { contextLength } = model.checkpoint.model.config
  const maxNew = Math.min(MAX_NEW, Math.floor(contextLength / 2))
  const generator = await Generator.create({
    checkpoint: withParameters(model, tuned),
    adapters: tuned.adapters ?? [],
    executor,
    batch,
    maxPrompt: Math.min(init.length ?? DEFAULT_LENGTH, contextLength - maxNew),
    maxNew,
  })
  return closeOnFailure(generator, async () => {
    for (const { name, weights } of tuned.adapters ?? []) await generator.setAdapter(name, weights)
    return generator
  })
}

const DEFAULT_LENGTH = 128

async function perplexityPerByte(init: EvaluateInit): Promise<number> {
  const { model, tuned = {}, examples, executor, signal } = init
  const { contextLength } = model.checkpoint.model.config
  const length = Math.min(init.length ?? DEFAULT_LENGTH, contextLength)
  const shape = batchShape({ batch: 8, length })
  const encoded = examples.map((example) =>
    encodeExample(model.tokenizer, example, { maxLength: length + 1 }),
  )
  const { weights } = withParameters(model, tuned)
  const pass = await ForwardPass.create({
    trainee: {
      model: model.checkpoint.model,
      weights,
      base: 'frozen',
      adapters: (tuned.adapters ?? []).map((adapter) => ({ ...adapter, trained: false })),
    },
    executor,
    shape,
  })
  try {
    for (const { name, weights } of tuned.adapters ?? []) await pass.write(toLeaves(name, weights))
    let nats = 0
    let bytes = 0
    for (const batch of packExamples(encoded, shape)) {
      signal?.throwIfAborted()
      const said = await pass.run(batch)
      for (const slot of batch.encoded.keys()) {
        nats += said.exampleNats[slot]!
        bytes += batch.exampleBytes[slot]!
      }
    }
    return Math.exp(nats / Math.max(1, bytes))
  } finally {
    await pass.close()
  }
}

function withParameters({ checkpoint }: TunedModel, tuned: Tuned): TunedModel['checkpoint'] {
  if (!tuned.parameters) return checkpoint
  return { ...checkpoint, weights: new Map([...checkpoint.weights, ...tuned.parameters]) }
}
