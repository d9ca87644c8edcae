import { createRandom } from '#base'
import { createExecutor, type Executor } from '#engine'
import { createAdapter, type LoraSpec, toLeaves } from '#learning/lora'
import { type Checkpoint, loadCheckpoint } from '#learning/models'
import { TrainStep } from '#learning/train'
import { QUERY_AND_VALUE } from '../flops.ts'
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
  const checkpoint = await loadCheckpoint(spec.folder)
  const shape = batchShape(spec)
  const { vocabularySize } = checkpoint.model.config
  const batches =
    spec.text === undefined
      ? [madeUpBatch(shape, vocabularySize)]
      : await textBatches(spec.text, shape, vocabularySize, checkpoint.tokenizer)
  const step = await createStep(spec, checkpoint, executor)
  let taken = 0
  return async () => {
    const batch = batches[taken++ % batches.length]!
    return (await step.run(batch, spec.learningRate)).loss
  }
}

async function createStep(
  spec: StepSpec,
  { model, weights }: Checkpoint,
  executor: Executor,
): Promise<TrainStep> {
  const shape = batchShape(spec)
  const common = { executor, shape, weightDecay: WEIGHT_DECAY }
  if (spec.trained === 'full') {
    const trainee = { model, weights: new Map(), base: 'trained', adapters: [] } as const
    const step = await TrainStep.create({ ...common, trainee })
    await step.write(weights)
    return step
  }
  const linears = [...new Set(model.linears.map(({ name }) => name.split('.').at(-1)!))]
  const targets = spec.trained === 'qv' ? QUERY_AND_VALUE : linears
  const lora: LoraSpec = { rank: spec.rank, alpha: spec.alpha, targets }
  const adapters = [{ name: ADAPTER, spec: lora, trained: true }]
  const trainee = { model, weights, base: 'frozen', adapters } as const
  const step = await TrainStep.create({ ...common, trainee })
  await step.write(toLeaves(ADAPTER, createAdapter(model, lora, createRandom('bench'))))
  return step
}
