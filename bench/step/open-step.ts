import { join } from 'node:path'
import { createRandom } from '#base'
import { createExecutor, type Executor } from '#engine'
import { createAdapter, type LoraSpec, toLeaves } from '#learning/lora'
import { loadCheckpoint, openCheckpoint, openFrozenBase } from '#learning/models'
import { TrainStep } from '#learning/train'
import { learningRateAt } from '#learning/tuning'
import { QUERY_AND_VALUE } from '../flops.ts'
import { benchCache } from '../random-checkpoint.ts'
import { batchShape, madeUpBatch, textBatches } from './batches.ts'
import type { Step } from './serve-steps.ts'
import type { StepSpec } from './step-spec.ts'

const ADAPTER = 'bench'
const WEIGHT_DECAY = 0.01

/** Our side, the way the product goes: a checkpoint's folder, a {@link TrainStep} over it, packed batches. */
export async function openStep(
  spec: StepSpec,
  executor = createExecutor('onnxruntime', { threads: spec.threads, spin: true }),
): Promise<Step> {
  const batches = await openBatches(spec)
  const step = await (spec.trained === 'full' ? openFullStep : openLoraStep)(spec, executor)
  // Text is trained on as on a device in its only round.
  const { text } = spec
  const rateAt = (index: number) => (text ? learningRateAt(1, 1, index, text.steps) : 1)
  let taken = 0
  return async () => {
    const batch = batches[taken % batches.length]!
    return (await step.run(batch, spec.learningRate * rateAt(taken++))).loss
  }
}

async function openBatches(spec: StepSpec) {
  const { model, tokenizer } = await openCheckpoint(spec.folder)
  const { vocabularySize } = model.config
  const shape = batchShape(spec)
  if (spec.text === undefined) return [madeUpBatch(shape, vocabularySize)]
  return textBatches(spec.text.files, shape, vocabularySize, tokenizer)
}

async function openFullStep(spec: StepSpec, executor: Executor): Promise<TrainStep> {
  const { model, weights } = await loadCheckpoint(spec.folder)
  const trainee = { model, weights: new Map(), base: 'trained', adapters: [] } as const
  const shape = batchShape(spec)
  const { recompute = 'none' } = spec
  const step = await TrainStep.create({
    executor,
    shape,
    trainee,
    recompute,
    weightDecay: WEIGHT_DECAY,
  })
  await step.write(weights)
  return step
}

async function openLoraStep(spec: StepSpec, executor: Executor): Promise<TrainStep> {
  const cache = join(benchCache(), 'bases')
  const { model, weights } = await openFrozenBase(spec.folder, { precision: spec.base, cache })
  const linears = [...new Set(model.linears.map(({ name }) => name.split('.').at(-1)!))]
  const targets = spec.trained === 'qv' ? QUERY_AND_VALUE : linears
  const lora: LoraSpec = { rank: spec.rank, alpha: spec.alpha, targets }
  const adapters = [{ name: ADAPTER, spec: lora, trained: true }]
  const trainee = { model, weights, base: 'frozen', adapters } as const
  const shape = batchShape(spec)
  const { recompute = 'none', packWeights = false } = spec
  const step = await TrainStep.create({
    executor,
    shape,
    trainee,
    recompute,
    packWeights,
    weightDecay: WEIGHT_DECAY,
  })
  await step.write(toLeaves(ADAPTER, createAdapter(model, lora, createRandom('bench'))))
  return step
}
