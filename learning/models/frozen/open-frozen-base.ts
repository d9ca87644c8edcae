import { createHash } from 'node:crypto'
import { realpath, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { modelCachePath } from '#base'
import type { Blocks, WeightValue } from '#engine'
import type { Checkpoint } from '../checkpoint.ts'
import { type OpenCheckpoint, openCheckpoint } from '../open-checkpoint.ts'
import { decodeValues } from '../safetensors.ts'
import type { StoredTensor } from '../stored-tensor.ts'
import { BASE_FILE, type BaseList, type BasePiece, readBaseList, writeBase } from './base-file.ts'
import { quantiseStored } from './quantise-stored.ts'
import { type BasePrecision, planWeight, type WeightPlan } from './weight-plan.ts'

/** Changes whenever what is written for a parameter does. */
const FORMAT = 2

export interface FrozenBaseOptions {
  /** Default `float32`. */
  readonly precision?: BasePrecision
  /** Where prepared bases are kept; the user's cache unless told. */
  readonly cache?: string
  /** Parameters prepared so far, and of how many. */
  readonly onProgress?: (done: number, total: number) => void
  readonly signal?: AbortSignal
}

/**
 * Opens a checkpoint as the frozen base of sessions: its weights stay on disk, and the runtime maps them. Float32
 * tensors are mapped where they lie; others, and those to be cut into blocks, are prepared once in a file of the cache,
 * streaming, so that neither is ever whole in memory.
 *
 * @throws CotuneError as `openCheckpoint`, MODEL_TENSOR_NOT_FINITE, DISK_FULL
 */
export async function openFrozenBase(
  folder: string,
  options: FrozenBaseOptions = {},
): Promise<Checkpoint<WeightValue>> {
  return freeze(await openCheckpoint(folder), options)
}

/** The same of a checkpoint that is open. */
export async function freeze(
  checkpoint: OpenCheckpoint,
  options: FrozenBaseOptions = {},
): Promise<Checkpoint<WeightValue>> {
  const { precision = 'float32', cache = modelCachePath() } = options
  const { model, tensors, tokenizer, warnings } = checkpoint
  const plans = new Map<StoredTensor, WeightPlan>()
  for (const tensor of tensors.values()) plans.set(tensor, planWeight(model, tensor, precision))

  const prepared = [...plans].filter(([, { form }]) => form !== 'mapped')
  const base = join(cache, await sourceKey(checkpoint, precision))
  const list = prepared.length === 0 ? {} : await prepare(base, prepared, options)
  const weights = new Map<string, WeightValue>()
  for (const [tensor, plan] of plans)
    weights.set(tensor.name, weightValue(tensor, plan, base, list))
  return { model, weights, warnings, ...(tokenizer === undefined ? {} : { tokenizer }) }
}

async function prepare(
  base: string,
  tensors: readonly (readonly [StoredTensor, WeightPlan])[],
  { onProgress, signal }: FrozenBaseOptions,
): Promise<BaseList> {
  const known = await readBaseList(base)
  if (known) return known
  return writeBase(base, pieces())

  async function* pieces(): AsyncGenerator<BasePiece> {
    for (const [index, [tensor, plan]] of tensors.entries()) {
      signal?.throwIfAborted()
      yield* piecesOf(tensor, plan)
      onProgress?.(index + 1, tensors.length)
    }
  }
}

async function* piecesOf(tensor: StoredTensor, plan: WeightPlan): AsyncGenerator<BasePiece> {
  if (plan.form !== 'blocks') {
    yield { name: tensor.name, parts: floatPieces(tensor) }
    return
  }
  const made = await quantiseStored(tensor, plan)
  for (const [direction, blocks] of Object.entries(made)) {
    yield { name: pieceName(tensor, direction, 'values'), parts: [blocks.values] }
    yield { name: pieceName(tensor, direction, 'scales'), parts: [blocks.scales] }
  }
}

async function* floatPieces(tensor: StoredTensor): AsyncGenerator<Float32Array> {
  for await (const piece of tensor.readPieces()) yield decodeValues(tensor.dtype, piece)
}

function weightValue(
  tensor: StoredTensor,
  plan: WeightPlan,
  base: string,
  list: BaseList,
): WeightValue {
  const { shape } = tensor
  const path = join(base, BASE_FILE)
  const piece = (name: string) => {
    const [offset, sizeBytes] = list[name]!
    return { path, offset, sizeBytes }
  }
  if (plan.form === 'mapped') {
    const { byteOffset: offset, byteLength: sizeBytes } = tensor
    return { dtype: 'mapped', shape, data: { path: resolve(tensor.path), offset, sizeBytes } }
  }
  if (plan.form === 'float32') return { dtype: 'mapped', shape, data: piece(tensor.name) }
  const blocks = (direction: string): Blocks => ({
    values: piece(pieceName(tensor, direction, 'values')),
    scales: piece(pieceName(tensor, direction, 'scales')),
  })
  return {
    dtype: 'blocks',
    shape,
    format: plan.format,
    ...(plan.alongRows ? { alongRows: blocks('rows') } : {}),
    ...(plan.alongColumns ? { alongColumns: blocks('columns') } : {}),
  }
}

function pieceName({ name }: StoredTensor, direction: string, part: string): string {
  return `${name}/${direction}/${part}`
}

/** Another file, a changed one, or another way of preparing it has another key. */
async function sourceKey(
  { tensors, model }: OpenCheckpoint,
  precision: BasePrecision,
): Promise<string> {
  const hash = createHash('sha256')
  hash.update(JSON.stringify([FORMAT, precision, model.family, model.config]))
  for (const path of new Set([...tensors.values()].map((tensor) => tensor.path))) {
    const { size, mtimeMs, ino } = await stat(path)
    hash.update(JSON.stringify([await realpath(path), size, mtimeMs, ino]))
  }
  return hash.digest('hex').slice(0, 32)
}
