import type { Recompute } from '#engine'
import type { BasePrecision, OpenCheckpoint } from '#learning/models'
import type { BatchShape } from '#learning/train'
import { batchShape, type TuningSettings, teacherShape } from '#learning/tuning'
import { type StepMemory, stepMemory, together } from './step-memory.ts'

/** One way of training, and what it takes. */
export interface FitOption {
  readonly precision: BasePrecision
  /** Frozen float32 weights packed for both directions. */
  readonly packWeights: boolean
  readonly recompute: Recompute
  /** Rows of tokens at once. */
  readonly batch: number
  /** Batches that make one step, so that a step has as many rows as were asked for. */
  readonly accumulate: number
  readonly memory: StepMemory
  readonly fits: boolean
}

type FitCheckpoint = Pick<OpenCheckpoint, 'model' | 'tensors'>

export interface FitInit {
  readonly checkpoint: FitCheckpoint
  readonly memoryBytes: number
  /** Rows of a step, tokens of a row. */
  readonly batch: number
  readonly length: number
  readonly rank: number
  readonly targets?: readonly string[]
  /** Present for mutual learning: the model learns from another and teaches it, in batches shaped as a device's. */
  readonly mutual?: FitMutual
}

export interface FitMutual extends Pick<TuningSettings, 'topK' | 'temperature' | 'gate'> {
  /** The other model, where it is to be counted too. */
  readonly partner?: FitCheckpoint
}

export interface Fit {
  readonly options: readonly FitOption[]
  /** The most exact base that fits, made to fit in the quickest way; undefined where none does. */
  readonly best: FitOption | undefined
}

const PRECISIONS: readonly BasePrecision[] = ['float32', 'int8', 'int4']

type Way = Pick<FitOption, 'precision' | 'packWeights' | 'recompute' | 'batch'>

/** What is left free, as a share of the estimate: it is good to some per cent. */
const RESERVE = 0.08

/** Which settings of a LoRA step fit into a memory: every precision's ways at the whole batch, then smaller batches. */
export function fitStep(init: FitInit): Fit {
  const options: FitOption[] = []
  for (const precision of PRECISIONS) {
    options.push(...waysOf(precision, init.batch).map((way) => option(init, way)))
    const last = options.at(-1)!
    if (!last.fits) options.push(...smallerBatches(init, precision))
  }
  return { options, best: options.find(({ fits }) => fits) }
}

/** From the quickest to the smallest. */
function waysOf(precision: BasePrecision, batch: number): readonly Way[] {
  const mapped = (['none', 'activations', 'layers'] as const).map((recompute) => {
    return { precision, packWeights: false, recompute, batch }
  })
  // Blocks are always packed.
  return precision === 'float32' ? [{ ...mapped[0]!, packWeights: true }, ...mapped] : mapped
}

/** With everything made again, ever smaller batches until one fits. */
function smallerBatches(init: FitInit, precision: BasePrecision): readonly FitOption[] {
  const tried: FitOption[] = []
  for (
    let batch = half(init.batch);
    batch < (tried.at(-1)?.batch ?? init.batch);
    batch = half(batch)
  ) {
    const next = option(init, waysOf(precision, batch).at(-1)!)
    tried.push(next)
    if (next.fits) break
  }
  return tried
}

function half(batch: number): number {
  return Math.ceil(batch / 2)
}

function option(init: FitInit, way: Way): FitOption {
  const { precision, packWeights, recompute, batch } = way
  const { checkpoint, memoryBytes, length, rank, targets, mutual } = init
  const accumulate = Math.ceil(init.batch / batch)
  const shape: BatchShape = mutual
    ? batchShape({ batch, length })
    : { batch, length, rows: batch * length, examples: batch }
  const memoryOf = (each: FitCheckpoint): StepMemory =>
    stepMemory(each, {
      precision,
      packWeights,
      recompute,
      accumulate: accumulate > 1,
      shape,
      rank,
      ...(targets ? { targets } : {}),
      ...(mutual ? { teacher: teacherShape(mutual, shape, mutual.gate !== 'none') } : {}),
    })
  const own = memoryOf(checkpoint)
  const memory = mutual?.partner ? together(own, memoryOf(mutual.partner)) : own
  const fits = memory.total * (1 + RESERVE) <= memoryBytes
  return { ...way, accumulate, memory, fits }
}
