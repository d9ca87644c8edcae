import {
  peakLiveBytes,
  type QuantisedTensor,
  type Recompute,
  sizeOf,
  type WeightValue,
} from '#engine'
import { adapterShapes } from '#learning/lora'
import {
  type BasePrecision,
  type OpenCheckpoint,
  planWeight,
  type StoredTensor,
  type WeightPlan,
} from '#learning/models'
import { type BatchShape, trainProgram } from '#learning/train'

/** What decides about the memory of a LoRA step. */
export interface StepSettings {
  readonly precision: BasePrecision
  readonly recompute: Recompute
  readonly accumulate: boolean
  readonly shape: BatchShape
  readonly rank: number
  /** Names of linear layers; all unless told. */
  readonly targets?: readonly string[]
}

/** Where the memory of a step goes, in bytes; `total` is what the process peaks at. */
export interface StepMemory {
  /** Node, ONNX Runtime, the graph. */
  readonly runtime: number
  /** Pages of mapped weights that are read, and packed blocks. */
  readonly weights: number
  /** Adapters with their moments. */
  readonly trained: number
  /** Activations and gradients at their highest. */
  readonly activations: number
  readonly total: number
}

/** Measured once (docs/benchmarks.md), held by a test: the process before a model, and what building a graph leaves. */
const PROCESS_BYTES = 170e6
const NODE_BYTES = 9_000

/** Runs keep variables twice (the old and the new); the caller's own copy makes three. The results are activations. */
const TRAINED_COPIES = 2

/** Blocks are packed for the kernels, with sums of their own beside the values. */
const PACKED_SHARE = 1.25

/** What an allocator cannot fill between values of many sizes. */
const FRAGMENTS = 1.1

/**
 * The memory that one LoRA step of a model will take, from its configuration alone: the program is built, not compiled.
 */
export function stepMemory(
  { model, tensors }: Pick<OpenCheckpoint, 'model' | 'tensors'>,
  settings: StepSettings,
): StepMemory {
  const { precision, recompute, accumulate, shape, rank } = settings
  const targets = settings.targets ?? model.linears.map(({ name }) => name)
  const spec = { rank, alpha: 2 * rank, targets }
  const plans = new Map<StoredTensor, WeightPlan>()
  for (const tensor of tensors.values()) plans.set(tensor, planWeight(model, tensor, precision))
  const weights = new Map(
    [...plans].map(([tensor, plan]) => [tensor.name, placeholder(tensor, plan)]),
  )
  const adapters = [{ name: 'fit', spec, trained: true }]
  const trainee = { model, weights, base: 'frozen', adapters } as const
  const { program } = trainProgram({ trainee, shape, recompute, accumulate })

  let trained = 0
  for (const each of adapterShapes(model, spec).values()) trained += 4 * sizeOf(each)
  // Value, two moments, and the gradients of earlier batches.
  trained *= accumulate ? 4 : 3
  let base = 0
  for (const [tensor, plan] of plans) base += residentBytes(tensor, plan)
  const parts = {
    runtime: PROCESS_BYTES + NODE_BYTES * program.nodes.length,
    weights: base,
    trained: TRAINED_COPIES * trained,
    activations: FRAGMENTS * peakLiveBytes(program),
  }
  const total = Object.values(parts).reduce((sum, part) => sum + part, 0)
  return { ...parts, total }
}

/** A value of the right kind; only that is looked at when a program is built. */
function placeholder({ shape }: StoredTensor, plan: WeightPlan): WeightValue {
  const data = { path: '', offset: 0, sizeBytes: 0 }
  if (plan.form !== 'blocks') return { dtype: 'mapped', shape, data }
  return { dtype: 'blocks', shape, format: plan.format } satisfies QuantisedTensor
}

function residentBytes({ shape }: StoredTensor, plan: WeightPlan): number {
  const size = sizeOf(shape)
  if (plan.form !== 'blocks') return 4 * size
  const { bits, blockSize } = plan.format
  const direction = (size * bits) / 8 + (4 * size) / blockSize
  const directions = Number(plan.alongRows) + Number(plan.alongColumns)
  // A direction that is missing is made of the other's blocks, which then stay in memory beside the packed ones, as
  // bytes for one kernel and as half bytes for the other.
  const mapped = directions === 1 ? 2 * direction : 0
  return PACKED_SHARE * directions * direction + mapped
}
