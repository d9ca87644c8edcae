import { basename } from 'node:path'
import { CotuneError, EXIT, isCotuneError, isObject, readJson, readRegularFile, shown } from '#base'

export const INDEX_FILE = 'model.safetensors.index.json'

/** A line takes about 100 bytes. */
export const MAX_INDEX_BYTES = 4_000_000

/** `model.safetensors.index.json`: which shard holds which tensor. */
export interface ShardIndex {
  /** File names, sorted; all lie next to the index. */
  readonly shards: readonly string[]
  /** Of each tensor, by its name in the files. */
  readonly shardOf: ReadonlyMap<string, string>
}

/**
 * Reads the index of shards; undefined where there is none.
 *
 * @throws CotuneError MODEL_INDEX_INVALID, MODEL_INDEX_OUTSIDE
 */
export async function readShardIndex(path: string): Promise<ShardIndex | undefined> {
  let bytes: Uint8Array
  try {
    bytes = await readRegularFile(path, MAX_INDEX_BYTES)
  } catch (cause) {
    if (!isCotuneError(cause, 'FILE_UNREADABLE')) throw cause
    if (cause.data.missing === true) return undefined
    throw indexInvalid(cause.message, cause)
  }
  return parseShardIndex(bytes)
}

/** @throws CotuneError MODEL_INDEX_INVALID, MODEL_INDEX_OUTSIDE */
export function parseShardIndex(bytes: Uint8Array): ShardIndex {
  const reading = readJson(bytes)
  if (!('value' in reading)) throw indexInvalid(`${INDEX_FILE} ${reading.problem}`, reading.cause)
  const map = isObject(reading.value) ? reading.value.weight_map : undefined
  if (!isObject(map)) throw indexInvalid(`${INDEX_FILE} has no weight_map`)
  const shardOf = new Map<string, string>()
  for (const [tensor, shard] of Object.entries(map)) shardOf.set(tensor, checkShard(shard))
  if (shardOf.size === 0) throw indexInvalid(`${INDEX_FILE} names no shard`)
  return { shards: [...new Set(shardOf.values())].sort(), shardOf }
}

function checkShard(shard: unknown): string {
  if (typeof shard !== 'string' || shard === '')
    throw indexInvalid(`${INDEX_FILE} names a file that is no text`)
  if (basename(shard) === shard && !/[\\/:\0]|^\.\.?$/.test(shard)) return shard
  throw new CotuneError(
    'MODEL_INDEX_OUTSIDE',
    `${INDEX_FILE}: the index names a file outside the folder (${shown(shard)})`,
    {
      hint: 'Refused: shards must lie next to their index. Get the checkpoint from a source you trust.',
      data: { shard: shown(shard) },
      exit: EXIT.data,
    },
  )
}

export function indexInvalid(message: string, cause?: unknown): CotuneError {
  return new CotuneError('MODEL_INDEX_INVALID', message, {
    hint: 'Download the index again, or export the checkpoint anew.',
    exit: EXIT.data,
    ...(cause === undefined ? {} : { cause }),
  })
}
