import {
  type BlockFormat,
  type Program,
  peakLiveBytes,
  type QuantisedTensor,
  type Recompute,
  sizeOf,
  type WeightValue,
} from '#engine'
import {
  type BasePrecision,
  type CausalModel,
  type OpenCheckpoint,
  planWeight,
  type StoredTensor,
  type WeightPlan,
} from '#learning/models'
import {
  type BatchShape,
  type ForwardProgramInit,
  forwardProgram,
  type TeacherShape,
  type Trainee,
  trainProgram,
} from '#learning/train'

/** What decides about the memory of a step. */
export interface StepSettings {
  /** An adapter, or every parameter in float32; an adapter unless told. */
  readonly train?: 'lora' | 'full'
  /** Of what is frozen. */
  readonly precision: BasePrecision
  /** Packs float32 weights for both directions; they are mapped unless told. */
  readonly packWeights?: boolean
  readonly recompute: Recompute
  readonly accumulate: boolean
  readonly shape: BatchShape
  readonly rank: number
  /** Names of linear layers; all unless told. */
  readonly targets?: readonly string[]
  /** Present where the model learns from a teacher, and teaches in turn. */
  readonly teacher?: TeacherShape
}

/** Where the memory of a step goes, in bytes; `total` is what the process peaks at. */
export interface StepMemory {
  /** Node, ONNX Runtime, the graph. */
  readonly runtime: number
  /** Pages of mapped weights that are read, and what is packed. */
  readonly weights: number
  /** Adapters or parameters with their moments, as often as they are held. */
  readonly trained: number
  /** Activations and gradients at their highest. */
  readonly activations: number
  /**
   * With a teacher, the forward pass by which the model teaches in turn: a session beside the step's, whose memory stays
   * taken between its runs. With it what a round of mutual learning began with. Else 0.
   */
  readonly teaching: number
  readonly total: number
}

/** Measured once (docs/benchmarks.md), held by a test: the process before a model, and what building a graph leaves. */
const PROCESS_BYTES = 170e6
const NODE_BYTES = 9_000

/** What each session but the first takes beside its values: threads, buffers of kernels, what its allocator cannot fill. */
const SESSION_BYTES = 15e6

/**
 * What earlier runs returned and nobody holds any more: V8 lets memory outside of its heap grow by so much before it
 * looks for garbage (`kExternalAllocationSoftLimit`).
 */
const GARBAGE_BYTES = 64 * 2 ** 20

/** What a peer has beside its models: tokenizers, batches, results of steps that are not collected yet. */
const PEER_BYTES = 50e6

/** Runs keep variables twice (the old and the new); the caller's own copy makes three. The results are activations. */
const TRAINED_COPIES = 2

/** Blocks are packed for the kernels, with sums of their own beside the values. */
const PACKED_SHARE = 1.25

/** What an allocator cannot fill between values of many sizes. */
const FRAGMENTS = 1.1

/** The memory that one step of a model will take, from its configuration alone: the program is built, not compiled. */
export function stepMemory(
  { model, tensors }: Pick<OpenCheckpoint, 'model' | 'tensors'>,
  settings: StepSettings,
): StepMemory {
  const { precision, packWeights = false, recompute, accumulate, shape, teacher } = settings
  const isFull = settings.train === 'full'
  const plans = new Map<StoredTensor, WeightPlan>()
  // Parameters that are trained are variables: they are read once, and nothing of the checkpoint stays.
  if (!isFull)
    for (const tensor of tensors.values()) plans.set(tensor, planWeight(model, tensor, precision))
  const weights = new Map(
    [...plans].map(([tensor, plan]) => [tensor.name, placeholder(tensor, plan)]),
  )
  const trainee: Trainee = isFull
    ? { model, weights, base: 'trained', adapters: [] }
    : { model, weights, base: 'frozen', adapters: [adapterOf(model, settings)] }
  const learning = { trainee, shape, recompute, accumulate, ...(teacher ? { teacher } : {}) }
  const { program } = trainProgram(learning)

  // Values, two moments of each, and the gradients of earlier batches.
  const trained = variableBytes(program)
  const directions = packWeights ? directionsRead(program) : new Map<string, number>()
  let base = 0
  for (const [tensor, plan] of plans) {
    base += residentBytes(tensor, plan, directions.get(tensor.name))
  }
  const parts = {
    runtime: PROCESS_BYTES + NODE_BYTES * program.nodes.length,
    weights: base,
    trained: TRAINED_COPIES * trained + Math.min(GARBAGE_BYTES, trained),
    activations: FRAGMENTS * peakLiveBytes(program),
    teaching: teacher ? teachingBytes({ trainee, shape, teacher }, accumulate, plans) : 0,
  }
  return { ...parts, total: sumOf(parts) }
}

function teachingBytes(
  init: ForwardProgramInit,
  accumulate: boolean,
  plans: ReadonlyMap<StoredTensor, WeightPlan>,
): number {
  const { trainee } = init
  const base = trainee.base === 'trained' ? 'live' : trainee.base
  const pass = forwardProgram({ ...init, trainee: { ...trainee, base } })
  let bytes = SESSION_BYTES + NODE_BYTES * pass.nodes.length + FRAGMENTS * peakLiveBytes(pass)
  // What the round began with, which its caller keeps. The pass shares the step's values, until batches that only
  // add to a step leave the step with copies.
  bytes += (accumulate ? 2 : 1) * variableBytes(pass)
  for (const [tensor, plan] of plans) bytes += packedForReading(tensor, plan)
  return bytes
}

/** Two models that learn from each other, as a device or the cloud peer holds them: their four sessions are open at once. */
export function together(a: StepMemory, b: StepMemory): StepMemory {
  const parts = {
    runtime: a.runtime + b.runtime - PROCESS_BYTES + SESSION_BYTES + PEER_BYTES,
    weights: a.weights + b.weights,
    trained: a.trained + b.trained,
    activations: a.activations + b.activations,
    teaching: a.teaching + b.teaching,
  }
  return { ...parts, total: sumOf(parts) }
}

function sumOf(parts: Omit<StepMemory, 'total'>): number {
  return Object.values(parts).reduce((sum, part) => sum + part, 0)
}

function adapterOf(
  model: CausalModel,
  { rank, targets = model.linears.map(({ name }) => name) }: StepSettings,
): Trainee['adapters'][number] {
  return { name: 'fit', spec: { rank, alpha: 2 * rank, targets }, trained: true }
}

function variableBytes({ variables }: Program): number {
  return [...variables.values()].reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0)
}

/** A value of the right kind; only that is looked at when a program is built. */
function placeholder({ shape }: StoredTensor, plan: WeightPlan): WeightValue {
  const data = { path: '', offset: 0, sizeBytes: 0 }
  if (plan.form !== 'blocks') return { dtype: 'mapped', shape, data }
  return { dtype: 'blocks', shape, format: plan.format } satisfies QuantisedTensor
}

/** Of each matrix by which something is multiplied: 2 where it is read transposed and as it is, else 1. */
function directionsRead({ nodes }: Program): ReadonlyMap<string, number> {
  const read = new Map<string, Set<string>>()
  for (const node of nodes) {
    const [, right] = node.inputs
    if (right?.operator !== 'weight' || right.shape.length !== 2) continue
    const { name } = right.parameters
    // A head's loss reads it transposed, the loss's slope as it is.
    const direction =
      node.operator === 'matmul' ? `matmul ${node.parameters.transposeB}` : node.operator
    read.set(name, (read.get(name) ?? new Set()).add(direction))
  }
  return new Map([...read].map(([name, { size }]) => [name, size]))
}

/** @param packed copies that products read; pages of the file, which they stand in for, are let go of */
function residentBytes({ shape }: StoredTensor, plan: WeightPlan, packed = 1): number {
  if (plan.form !== 'blocks') return packed * 4 * sizeOf(shape)
  const direction = blockBytes(shape, plan.format)
  const directions = Number(plan.alongRows) + Number(plan.alongColumns)
  // A direction that is missing is made of the other's blocks, which then stay in memory beside the packed ones, as
  // bytes for one kernel and as half bytes for the other.
  const mapped = directions === 1 ? 2 * direction : 0
  return PACKED_SHARE * directions * direction + mapped
}

/** A forward pass maps the step's files, but packs its blocks for itself: those of x W^T. */
function packedForReading({ shape }: StoredTensor, plan: WeightPlan): number {
  if (plan.form !== 'blocks' || !plan.alongRows) return 0
  return PACKED_SHARE * blockBytes(shape, plan.format)
}

/** One direction of a matrix in blocks, with its scales. */
function blockBytes(shape: readonly number[], { bits, blockSize }: BlockFormat): number {
  const size = sizeOf(shape)
  return (size * bits) / 8 + (4 * size) / blockSize
}
