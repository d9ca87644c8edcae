import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CotuneError, EXIT } from '#base'
import type { Tensor } from '#engine'
import { loadTokenizer, type Tokenizer } from '#learning/text'
import type { CausalModel } from './causal-model.ts'
import { createModel } from './create-model.ts'
import { configInvalid, type HfConfig } from './hf-config.ts'
import { checkDtype } from './safetensors.ts'
import { type LazyTensor, withWeightFiles } from './weight-files.ts'

export const CONFIG_FILE = 'config.json'
export const TOKENIZER_FILE = 'tokenizer.json'

/** A model with its numbers. */
export interface Checkpoint {
  readonly model: CausalModel
  /** Every parameter of the model as float32, by its Hugging Face name. */
  readonly weights: ReadonlyMap<string, Tensor>
  /** Of `tokenizer.json`, where the folder has one. */
  readonly tokenizer?: Tokenizer
  /** What was odd but harmless. */
  readonly warnings: readonly CheckpointWarning[]
}

export interface CheckpointWarning {
  readonly code: 'MODEL_TENSOR_UNUSED'
  readonly message: string
}

/**
 * Loads a Hugging Face style folder: `config.json`, `model.safetensors` or shards with their index, `tokenizer.json`.
 * Everything is checked before it is believed: the folder may come from anywhere.
 *
 * @throws CotuneError MODEL_CONFIG_*, MODEL_TYPE_UNSUPPORTED, MODEL_WEIGHTS_NOT_FOUND, MODEL_INDEX_*, SAFETENSORS_*,
 * MODEL_TENSOR_MISSING, MODEL_TENSOR_SHAPE, MODEL_TENSOR_NOT_FINITE, and TOKENIZER_*
 */
export async function loadCheckpoint(folder: string): Promise<Checkpoint> {
  const model = createModel(await readConfig(folder))
  const tokenizer = await readTokenizer(folder)
  const { weights, warnings } = await withWeightFiles(folder, (files) => readWeights(model, files))
  return { model, weights, warnings, ...(tokenizer === undefined ? {} : { tokenizer }) }
}

async function readConfig(folder: string): Promise<HfConfig> {
  const path = join(folder, CONFIG_FILE)
  let parsed: unknown
  try {
    parsed = JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    if (!(cause instanceof SyntaxError))
      throw new CotuneError('MODEL_CONFIG_NOT_FOUND', `${path} cannot be read`, {
        hint: 'Give a folder with config.json, model.safetensors and tokenizer.json.',
        cause,
        data: { path },
        exit: EXIT.data,
      })
    throw new CotuneError('MODEL_CONFIG_NOT_JSON', `${path} is not valid JSON`, {
      hint: 'Correct config.json, or download it again.',
      cause,
      data: { path },
      exit: EXIT.data,
    })
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw configInvalid('', 'it is not a JSON object')
  return parsed as HfConfig
}

async function readTokenizer(folder: string): Promise<Tokenizer | undefined> {
  try {
    await access(join(folder, TOKENIZER_FILE))
  } catch {
    return undefined
  }
  return loadTokenizer(folder)
}

async function readWeights(
  model: CausalModel,
  files: ReadonlyMap<string, LazyTensor>,
): Promise<Pick<Checkpoint, 'weights' | 'warnings'>> {
  const found = new Map<string, LazyTensor>()
  const warnings: CheckpointWarning[] = []
  for (const stored of files.values()) {
    const name = model.resolveName(stored.name)
    if (name === undefined) continue
    if (model.parameters.has(name) && !found.has(name)) found.set(name, stored)
    else warnings.push({ code: 'MODEL_TENSOR_UNUSED', message: `unused tensor "${stored.name}"` })
  }
  // All shapes before the first byte of data: a wrong folder fails at once.
  for (const [name, shape] of model.parameters) checkShape(model, name, shape, found.get(name))
  const weights = new Map<string, Tensor>()
  for (const name of model.parameters.keys()) {
    const tensor = await found.get(name)!.read()
    checkFinite(name, tensor)
    weights.set(name, tensor)
  }
  return { weights, warnings }
}

function checkShape(
  model: CausalModel,
  name: string,
  shape: readonly number[],
  stored: LazyTensor | undefined,
): void {
  const { vocabularySize, layers } = model.config
  if (stored === undefined)
    throw new CotuneError(
      'MODEL_TENSOR_MISSING',
      `tensor ${name} is missing from model.safetensors (config.json says ${layers} layers)`,
      {
        hint: 'The weights do not belong to this config.json, or a shard is missing: download the checkpoint again.',
        data: { tensor: name },
        exit: EXIT.data,
      },
    )
  checkDtype(stored, stored.file)
  if (stored.shape.length === shape.length && stored.shape.every((n, i) => n === shape[i])) return
  const isRows = shape[0] === vocabularySize && stored.shape[1] === shape[1]
  const message = isRows
    ? `tensor ${name} has ${stored.shape[0]} rows, config.json says vocab_size ${vocabularySize}`
    : `tensor ${name} has shape ${JSON.stringify(stored.shape)}, config.json implies ${JSON.stringify(shape)}`
  throw new CotuneError('MODEL_TENSOR_SHAPE', message, {
    hint: 'config.json and the weights belong to different models: take both from the same checkpoint.',
    data: { tensor: name, stored: stored.shape, expected: shape },
    exit: EXIT.data,
  })
}

function checkFinite(name: string, { data }: Tensor): void {
  let infinite = 0
  let notANumber = 0
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!
    // Only infinities and NaN differ from themselves after subtraction.
    if (value - value === 0) continue
    if (Number.isNaN(value)) notANumber++
    else infinite++
  }
  if (infinite + notANumber === 0) return
  const [count, kind] = infinite > 0 ? [infinite, 'infinite'] : [notANumber, 'not-a-number']
  throw new CotuneError(
    'MODEL_TENSOR_NOT_FINITE',
    `tensor ${name} holds ${count} ${kind} value${count === 1 ? '' : 's'}`,
    {
      hint: 'The checkpoint is damaged or its training diverged: take an earlier one.',
      data: { tensor: name, infinite, notANumber },
      exit: EXIT.data,
    },
  )
}
