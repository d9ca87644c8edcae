import type { Recompute } from '#engine'
import type { BasePrecision, OpenCheckpoint } from '#learning/models'
import type { BatchShape } from '#learning/train'
import { batchShape, type TuningSettings, teacherShape } from '#learning/tuning'
import { type StepMemory, type StepSettings, stepMemory, together } from './step-memory.ts'

/** One way of training, and what it takes. */
export interface FitOption {
  /** Of what is frozen. */
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
  /** What of it is trained; an adapter unless told. */
  readonly train?: StepSettings['train']
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
  /** The other model, where it is to be counted too. It is tuned by an adapter. */
  readonly partner?: FitCheckpoint
}

export interface Fit {
  /** Whether anything is frozen, so that it could be held in another precision, or packed. */
  readonly hasFrozen: boolean
  readonly options: readonly FitOption[]
  /** The most exact base that fits, made to fit in the quickest way; undefined where none does. */
  readonly best: FitOption | undefined
}

const PRECISIONS: readonly BasePrecision[] = ['float32', 'int8', 'int4']
/** From the quickest to the smallest. */
const RECOMPUTE: readonly Recompute[] = ['none', 'activations', 'layers']

type Way = Pick<FitOption, 'precision' | 'packWeights' | 'recompute' | 'batch'>

/** What is left free, as a share of the estimate: it is good to some per cent. */
const RESERVE = 0.08

/** Which settings of a step fit into a memory: every precision's ways at the whole batch, then smaller batches. */
export function fitStep(init: FitInit): Fit {
  const { batch, train, mutual } = init
  const hasFrozen = train !== 'full' || mutual?.partner !== undefined
  const options: FitOption[] = []
  for (const precision of hasFrozen ? PRECISIONS : (['float32'] as const)) {
    const mapped = RECOMPUTE.map((each) => mappedWay(precision, each, batch))
    // Blocks are always packed.
    const canPack = hasFrozen && precision === 'float32'
    const ways = canPack ? [{ ...mapped[0]!, packWeights: true }, ...mapped] : mapped
    options.push(...ways.map((way) => option(init, way)))
    if (!options.at(-1)!.fits) options.push(...smallerBatches(init, precision))
  }
  return { hasFrozen, options, best: options.find(({ fits }) => fits) }
}

function mappedWay(precision: BasePrecision, recompute: Recompute, batch: number): Way {
  return { precision, packWeights: false, recompute, batch }
}

/** With everything made again, ever smaller batches until one fits. */
function smallerBatches(init: FitInit, precision: BasePrecision): readonly FitOption[] {
  const tried: FitOption[] = []
  for (
    let batch = half(init.batch);
    batch < (tried.at(-1)?.batch ?? init.batch);
    batch = half(batch)
  ) {
    const next = option(init, mappedWay(precision, 'layers', batch))
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
  const { checkpoint, train = 'lora', memoryBytes, length, rank, targets, mutual } = init
  const accumulate = Math.ceil(init.batch / batch)
  const shape: BatchShape = mutual
    ? batchShape({ batch, length })
    : { batch, length, rows: batch * length, examples: batch }
  const memoryOf = (each: FitCheckpoint, trained: typeof train): StepMemory =>
    stepMemory(each, {
      train: trained,
      precision,
      packWeights,
      recompute,
      accumulate: accumulate > 1,
      shape,
      rank,
      ...(targets ? { targets } : {}),
      ...(mutual ? { teacher: teacherShape(mutual, shape, mutual.gate !== 'none') } : {}),
    })
  const own = memoryOf(checkpoint, train)
  const memory = mutual?.partner ? together(own, memoryOf(mutual.partner, 'lora')) : own
  const fits = memory.total * (1 + RESERVE) <= memoryBytes
  return { ...way, accumulate, memory, fits }
}
