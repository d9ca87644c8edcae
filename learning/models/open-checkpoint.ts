import { join } from 'node:path'
import { CotuneError, EXIT, isCotuneError, openRegularFile, shown, shownJson } from '#base'
import { loadTokenizer, type Tokenizer } from '#learning/text'
import type { CausalModel } from './causal-model.ts'
import { readCheckpointConfig } from './checkpoint-config.ts'
import { createModel } from './create-model.ts'
import { weightDtype } from './safetensors.ts'
import { indexInvalid, type ShardIndex } from './shard-index.ts'
import { createStoredTensor, type StoredTensor } from './stored-tensor.ts'
import {
  readWeightFiles,
  WEIGHTS_FILE,
  type WeightEntry,
  type WeightFiles,
} from './weight-files.ts'

export const TOKENIZER_FILE = 'tokenizer.json'

/** A model whose numbers still lie on disk. */
export interface OpenCheckpoint {
  readonly model: CausalModel
  /** Every parameter of the model by its Hugging Face name, in the order of `model.parameters`. */
  readonly tensors: ReadonlyMap<string, StoredTensor>
  /** Of `tokenizer.json`, where the folder has one. */
  readonly tokenizer?: Tokenizer
  /** What was odd but harmless. */
  readonly warnings: readonly CheckpointWarning[]
  /** The weights files. */
  readonly files: WeightFiles['files']
}

export interface CheckpointWarning {
  readonly code: 'MODEL_TENSOR_UNUSED'
  readonly message: string
}

/** As many are named; of the others there is only a count. */
const MAX_WARNINGS = 20

/**
 * Opens a Hugging Face style folder: `config.json`, `model.safetensors` or shards with their index, `tokenizer.json`.
 * Everything but the numbers is checked before it is believed: the folder may come from anywhere. Nothing stays open.
 *
 * @throws CotuneError MODEL_CONFIG_*, MODEL_TYPE_UNSUPPORTED, MODEL_WEIGHTS_NOT_FOUND, MODEL_INDEX_*, SAFETENSORS_*,
 * MODEL_TENSOR_MISSING, MODEL_TENSOR_SHAPE, and TOKENIZER_*
 */
export async function openCheckpoint(folder: string): Promise<OpenCheckpoint> {
  const model = createModel(await readCheckpointConfig(folder))
  const tokenizer = await readTokenizer(folder)
  const { entries, files, index } = await readWeightFiles(folder)
  const { found, warnings } = assignParameters(model, entries)
  const tensors = new Map<string, StoredTensor>()
  for (const [name, shape] of model.parameters) {
    const entry = checkEntry(model, name, found.get(name), index)
    const dtype = weightDtype(entry, entry.file)
    checkShape(model, name, shape, entry)
    const { path, dataStart, begin, end } = entry
    const place = { path, byteOffset: dataStart + begin, byteLength: end - begin }
    tensors.set(name, createStoredTensor({ name, ...place, dtype, shape }))
  }
  return { model, tensors, warnings, files, ...(tokenizer === undefined ? {} : { tokenizer }) }
}

async function readTokenizer(folder: string): Promise<Tokenizer | undefined> {
  try {
    await (await openRegularFile(join(folder, TOKENIZER_FILE))).close()
  } catch (error) {
    if (isCotuneError(error) && error.data.missing === true) return undefined
  }
  return loadTokenizer(folder)
}

function assignParameters(
  model: CausalModel,
  entries: WeightFiles['entries'],
): { found: ReadonlyMap<string, WeightEntry>; warnings: readonly CheckpointWarning[] } {
  const found = new Map<string, WeightEntry>()
  const unused: string[] = []
  for (const entry of entries.values()) {
    const name = model.resolveName(entry.name)
    if (name === undefined) continue
    if (model.parameters.has(name) && !found.has(name)) found.set(name, entry)
    else unused.push(entry.name)
  }
  for (const [stored, name] of model.standIns) {
    const entry = entries.get(stored)
    if (entry !== undefined && !found.has(name)) found.set(name, entry)
  }
  const messages = unused.slice(0, MAX_WARNINGS).map((name) => `unused tensor "${shown(name)}"`)
  if (unused.length > MAX_WARNINGS)
    messages.push(`and ${unused.length - MAX_WARNINGS} more unused tensors`)
  const warnings = messages.map((message) => ({ code: 'MODEL_TENSOR_UNUSED' as const, message }))
  return { found, warnings }
}

function checkEntry(
  { config }: CausalModel,
  name: string,
  entry: WeightEntry | undefined,
  index: ShardIndex | undefined,
): WeightEntry {
  if (entry === undefined)
    throw new CotuneError(
      'MODEL_TENSOR_MISSING',
      `tensor ${name} is missing from ${shown(index?.shardOf.get(name) ?? WEIGHTS_FILE)} ` +
        `(config.json says ${config.layers} layers)`,
      {
        hint: 'The weights do not belong to this config.json, or a shard is missing: download the checkpoint again.',
        data: { tensor: name },
        exit: EXIT.data,
      },
    )
  const shard = index?.shardOf.get(entry.name)
  if (shard !== undefined && shard !== entry.file)
    throw indexInvalid(
      `the index puts tensor ${name} into ${shown(shard)}, but it lies in ${shown(entry.file)}`,
    )
  return entry
}

function checkShape(
  { config }: CausalModel,
  name: string,
  shape: readonly number[],
  stored: WeightEntry,
): void {
  if (stored.shape.length === shape.length && stored.shape.every((n, i) => n === shape[i])) return
  const isRows = shape[0] === config.vocabularySize && stored.shape[1] === shape[1]
  const message = isRows
    ? `tensor ${name} has ${stored.shape[0]} rows, config.json says vocab_size ${config.vocabularySize}`
    : `tensor ${name} has shape ${shownJson(stored.shape)}, config.json implies ${JSON.stringify(shape)}`
  throw new CotuneError('MODEL_TENSOR_SHAPE', message, {
    hint: 'config.json and the weights belong to different models: take both from the same checkpoint.',
    data: { tensor: name, stored: shownJson(stored.shape), expected: shape },
    exit: EXIT.data,
  })
}
