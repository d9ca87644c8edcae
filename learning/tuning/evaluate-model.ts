import type { Executor } from '#engine'
import { type Example, packExamples } from '#learning/data'
import { scorePredictions } from '#learning/evaluate'
import { toLeaves } from '#learning/lora'
import { renderPrompt } from '#learning/text'
import { ForwardPass } from '#learning/train'
import { batchShape } from './batch-shape.ts'
import { createGenerator } from './create-generator.ts'
import { encodeExamples } from './encode-examples.ts'
import { type Tuned, withParameters } from './tuned.ts'
import type { TunedModel } from './tuned-model.ts'
import type { OnProgress, Scores } from './types.ts'

export interface EvaluateInit {
  readonly model: TunedModel
  readonly tuned?: Tuned
  readonly examples: readonly Example[]
  readonly executor: Executor
  /** Tokens of a row when the perplexity is measured, and nearly those of a prompt; 128 unless told. */
  readonly length?: number
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

const DEFAULT_LENGTH = 128
const BATCH = 32

/**
 * Exact match and Rouge-L of greedy answers, and the perplexity per UTF-8 byte of the references, which is comparable between
 * tokenizers.
 */
export async function evaluateModel(init: EvaluateInit): Promise<Scores> {
  const sized = { length: DEFAULT_LENGTH, ...init }
  const { em, rougeL } = scorePredictions(init.examples, await predict(sized))
  const examples = init.examples.length
  return { em, rougeL, examples, perplexityPerByte: await perplexityPerByte(sized) }
}

type Sized = EvaluateInit & { readonly length: number }

async function predict(init: Sized): Promise<string[]> {
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

async function perplexityPerByte(init: Sized): Promise<number> {
  const { model, tuned = {}, examples, executor, signal } = init
  const { contextLength } = model.checkpoint.model.config
  const length = Math.min(init.length, contextLength)
  const shape = batchShape({ batch: 8, length })
  const encoded = encodeExamples(model.tokenizer, examples, length)
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
