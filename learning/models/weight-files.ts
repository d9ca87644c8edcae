import { type FileHandle, open, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { CotuneError, EXIT } from '#base'
import type { Tensor } from '#engine'
import { decodeTensor } from './safetensors.ts'
import { parseSafetensorsHeader, type StoredTensor } from './safetensors-header.ts'
import { readHeaderLength } from './safetensors-header-length.ts'

export const WEIGHTS_FILE = 'model.safetensors'
const INDEX_FILE = 'model.safetensors.index.json'

/** A tensor that lies in one of a checkpoint's files and has not been read yet. */
export interface LazyTensor extends StoredTensor {
  readonly file: string
  /** @throws CotuneError SAFETENSORS_DTYPE_UNSUPPORTED */
  readonly read: () => Promise<Tensor>
}

/**
 * Opens the weights of a checkpoint folder, `model.safetensors` or the shards that `model.safetensors.index.json` names,
 * checks all headers and hands the tensors to `use`; only what it reads is held in memory.
 *
 * @throws CotuneError MODEL_WEIGHTS_NOT_FOUND, MODEL_INDEX_INVALID, MODEL_INDEX_OUTSIDE or SAFETENSORS_*
 */
export async function withWeightFiles<T>(
  folder: string,
  use: (tensors: ReadonlyMap<string, LazyTensor>) => Promise<T>,
): Promise<T> {
  const files = await weightFiles(folder)
  const handles: FileHandle[] = []
  try {
    const tensors = new Map<string, LazyTensor>()
    for (const file of files) {
      const handle = await openWeights(join(folder, file), folder)
      handles.push(handle)
      for (const tensor of await readTensors(handle, file)) {
        if (tensors.has(tensor.name))
          throw new CotuneError(
            'SAFETENSORS_TENSOR_REPEATED',
            `${file}: tensor ${tensor.name} is also in another file of ${basename(folder)}`,
            { hint: 'Export the checkpoint anew.', data: { tensor: tensor.name }, exit: EXIT.data },
          )
        tensors.set(tensor.name, tensor)
      }
    }
    return await use(tensors)
  } finally {
    for (const handle of handles) await handle.close()
  }
}

/** As Hugging Face does, one whole file goes before shards. */
async function weightFiles(folder: string): Promise<readonly string[]> {
  if (await exists(join(folder, WEIGHTS_FILE))) return [WEIGHTS_FILE]
  const index = await readFile(join(folder, INDEX_FILE), 'utf8').catch(() => undefined)
  return index === undefined ? [WEIGHTS_FILE] : shardsOf(index)
}

const indexSchema = z.object({ weight_map: z.unknown() })

function shardsOf(json: string): readonly string[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(json)
  } catch (cause) {
    throw indexError(`${INDEX_FILE} is not valid JSON`, cause)
  }
  const index = indexSchema.safeParse(parsed)
  const map = index.data?.weight_map
  if (typeof map !== 'object' || map === null) throw indexError(`${INDEX_FILE} has no weight_map`)
  const shards = new Set<string>()
  for (const shard of Object.values(map) as unknown[]) {
    if (typeof shard !== 'string') throw indexError(`${INDEX_FILE} names a file that is no text`)
    if (basename(shard) !== shard || shard.includes('\\') || shard === '..')
      throw new CotuneError(
        'MODEL_INDEX_OUTSIDE',
        `${INDEX_FILE}: the index names a file outside the folder (${shard})`,
        {
          hint: 'Refused: shards must lie next to their index. Get the checkpoint from a source you trust.',
          data: { shard },
          exit: EXIT.data,
        },
      )
    shards.add(shard)
  }
  return [...shards].sort()
}

async function openWeights(path: string, folder: string): Promise<FileHandle> {
  let cause: unknown
  try {
    const handle = await open(path, 'r')
    if ((await handle.stat()).isFile()) return handle
    await handle.close()
  } catch (error) {
    cause = error
  }
  const pickled = await exists(join(folder, 'pytorch_model.bin'))
  throw new CotuneError('MODEL_WEIGHTS_NOT_FOUND', `${path} cannot be read`, {
    hint: pickled
      ? 'pytorch_model.bin is a pickle, which can run code: convert it to safetensors first.'
      : 'Give a folder with config.json and model.safetensors (or its shards and their index).',
    cause,
    data: { path },
    exit: EXIT.data,
  })
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

async function readTensors(handle: FileHandle, file: string): Promise<LazyTensor[]> {
  const { size } = await handle.stat()
  const first = await readExactly(handle, 0, Math.min(64, size), file)
  const headerBytes = readHeaderLength(first, size, file)
  const start = 8 + headerBytes
  const header = parseSafetensorsHeader(
    await readExactly(handle, 8, headerBytes, file),
    size - start,
    file,
  )
  return [...header.tensors.values()].map((stored) => ({
    ...stored,
    file,
    read: async () => {
      const bytes = await readExactly(handle, start + stored.begin, stored.end - stored.begin, file)
      return decodeTensor(stored, bytes, file)
    },
  }))
}

/** Largest piece of one read call; Linux transfers less than 2 GiB at once. */
const READ_BYTES = 1 << 30

async function readExactly(
  handle: FileHandle,
  position: number,
  sizeBytes: number,
  file: string,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(sizeBytes)
  let done = 0
  while (done < sizeBytes) {
    const length = Math.min(READ_BYTES, sizeBytes - done)
    const { bytesRead } = await handle.read(bytes, done, length, position + done)
    if (bytesRead === 0)
      throw new CotuneError('SAFETENSORS_TRUNCATED', `${file} became shorter while it was read`, {
        hint: 'Wait until the file is written, then try again.',
        data: { file },
        exit: EXIT.data,
      })
    done += bytesRead
  }
  return bytes
}

function indexError(message: string, cause?: unknown): CotuneError {
  return new CotuneError('MODEL_INDEX_INVALID', message, {
    hint: 'Download the index again, or export the checkpoint anew.',
    exit: EXIT.data,
    ...(cause === undefined ? {} : { cause }),
  })
}
