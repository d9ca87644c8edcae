import { join } from 'node:path'
import { CotuneError, EXIT, isCotuneError, openRegularFile, shown, shownJson } from '#base'
import { loadTokenizer, type Tokenizer } from '#learning/text'
import type { CausalModel } from './causal-model.ts'
import { readCheckpointConfig } from './checkpoint-config.ts'
import { createModel } from './create-model.ts'
import { weightDtype } from './safetensors.ts'
import { indexInvalid, type ShardIndex } from './shard-index.ts'
import { createStoredTensor, type StoredTensor } from './stored-tensor.ts'
import { hasUntiedHead } from './untied-head.ts'
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
  readonly code: 'MODEL_TENSOR_UNUSED' | 'MODEL_HEAD_UNTIED'
  readonly message: string
}

/** As many are named; of the others there is only a count. */
const MAX_WARNINGS = 20

/**
 * Opens a Hugging Face style folder: `config.json`, `model.safetensors` or shards with their index, `tokenizer.json`.
 * Everything but the numbers is checked before it is believed: the folder may come from anywhere. Numbers are read only to
 * compare a tied head that is stored all the same. Nothing stays open.
 *
 * @throws CotuneError MODEL_CONFIG_*, MODEL_TYPE_UNSUPPORTED, MODEL_WEIGHTS_NOT_FOUND, MODEL_INDEX_*, SAFETENSORS_*,
 * MODEL_TENSOR_MISSING, MODEL_TENSOR_SHAPE, those of {@link hasUntiedHead}, and TOKENIZER_*
 */
export async function openCheckpoint(folder: string): Promise<OpenCheckpoint> {
  const source = await readCheckpointConfig(folder)
  const told = createModel(source)
  const { entries, files, index } = await readWeightFiles(folder)
  const isUntied = await hasUntiedHead(told, entries)
  const model = isUntied ? createModel({ ...source, tie_word_embeddings: false }) : told
  const { found, unused } = assignParameters(model, entries)
  const warnings = [...(isUntied ? [untied(model)] : []), ...unused]
  const tensors = new Map<string, StoredTensor>()
  for (const [name, shape] of model.parameters) {
    const entry = checkEntry(model, name, found.get(name), index)
    const dtype = weightDtype(entry, entry.file)
    checkShape(model, name, shape, entry)
    const { path, dataStart, begin, end } = entry
    const place = { path, byteOffset: dataStart + begin, byteLength: end - begin }
    tensors.set(name, createStoredTensor({ name, ...place, dtype, shape }))
  }
  // Last: how much of it is read goes by the size of the vocabulary, which the weights have borne out by now.
  const tokenizer = await readTokenizer(folder)
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
): { found: ReadonlyMap<string, WeightEntry>; unused: readonly CheckpointWarning[] } {
  const found = new Map<string, WeightEntry>()
  const unused: string[] = []
  for (const entry of entries.values()) {
    const name = model.resolveName(entry.name)
    if (name === undefined) continue
    if (model.parameters.has(name) && !found.has(name)) found.set(name, entry)
    else unused.push(entry.name)
  }
  // Of two tensors that are one, some converters keep the first by the alphabet: OPT-125M's file has only the head.
  const head = entries.get(model.headWeight)
  if (model.config.tiedHead && head !== undefined && !found.has(model.embeddingWeight))
    found.set(model.embeddingWeight, head)
  const messages = unused.slice(0, MAX_WARNINGS).map((name) => `unused tensor "${shown(name)}"`)
  if (unused.length > MAX_WARNINGS)
    messages.push(`and ${unused.length - MAX_WARNINGS} more unused tensors`)
  return {
    found,
    unused: messages.map((message) => ({ code: 'MODEL_TENSOR_UNUSED' as const, message })),
  }
}

function untied({ headWeight, embeddingWeight }: CausalModel): CheckpointWarning {
  return {
    code: 'MODEL_HEAD_UNTIED',
    message:
      `config.json ties the head to the embedding, but ${headWeight} and ${embeddingWeight} differ: ` +
      'each is used for itself, as in transformers 5',
  }
}

function checkEntry(
  { config, headWeight }: CausalModel,
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
        hint:
          name === headWeight
            ? 'A shard is missing, or the head is the embedding: then config.json must say "tie_word_embeddings": true.'
            : 'The weights do not belong to this config.json, or a shard is missing: download the checkpoint again.',
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
  const isRows =
    shape[0] === config.vocabularySize &&
    stored.shape.length === shape.length &&
    stored.shape[1] === shape[1]
  const message = isRows
    ? `tensor ${name} has ${stored.shape[0]} rows, config.json says vocab_size ${config.vocabularySize}`
    : `tensor ${name} has shape ${shownJson(stored.shape)}, config.json implies ${JSON.stringify(shape)}`
  throw new CotuneError('MODEL_TENSOR_SHAPE', message, {
    hint: 'config.json and the weights belong to different models: take both from the same checkpoint.',
    data: { tensor: name, stored: shownJson(stored.shape), expected: shape },
    exit: EXIT.data,
  })
}
