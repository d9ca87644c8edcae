import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CotuneError, EXIT, isCotuneError, openRegularFile, shown } from '#base'
import { readExactly } from './read-exactly.ts'
import { parseSafetensorsHeader, type TensorEntry } from './safetensors-header.ts'
import { readHeaderLength } from './safetensors-header-length.ts'
import { INDEX_FILE, readShardIndex, type ShardIndex } from './shard-index.ts'

export const WEIGHTS_FILE = 'model.safetensors'

/** A tensor of one of a checkpoint's files. */
export interface WeightEntry extends TensorEntry {
  /** The file's name within the folder. */
  readonly file: string
  readonly path: string
  /** Where the file's tensors begin, behind the header. */
  readonly dataStart: number
}

export interface WeightFiles {
  readonly files: readonly { readonly name: string; readonly sizeBytes: number }[]
  /** By the names in the files. */
  readonly entries: ReadonlyMap<string, WeightEntry>
  /** Where there are shards. */
  readonly index?: ShardIndex
}

/**
 * Reads and checks the headers of a checkpoint folder's weights: `model.safetensors`, or the shards that
 * `model.safetensors.index.json` names.
 *
 * @throws CotuneError MODEL_WEIGHTS_NOT_FOUND, MODEL_INDEX_INVALID, MODEL_INDEX_OUTSIDE or SAFETENSORS_*
 */
export async function readWeightFiles(folder: string): Promise<WeightFiles> {
  // As Hugging Face does, one whole file goes before shards.
  const whole = await exists(join(folder, WEIGHTS_FILE))
  const index = whole ? undefined : await readShardIndex(join(folder, INDEX_FILE))
  const names = index?.shards ?? [WEIGHTS_FILE]
  const files: { name: string; sizeBytes: number }[] = []
  const entries = new Map<string, WeightEntry>()
  for (const name of names) {
    const file = await readHeader(folder, name)
    files.push({ name, sizeBytes: file.sizeBytes })
    for (const entry of file.entries) {
      if (entries.has(entry.name)) throw repeated(entry, folder)
      entries.set(entry.name, entry)
    }
  }
  return { files, entries, ...(index === undefined ? {} : { index }) }
}

async function readHeader(
  folder: string,
  file: string,
): Promise<{ entries: readonly WeightEntry[]; sizeBytes: number }> {
  const path = join(folder, file)
  const handle = await openRegularFile(path).catch(async (cause: unknown) => {
    throw await notFound(cause, folder)
  })
  try {
    const { size } = await handle.stat()
    const label = shown(file)
    const first = new Uint8Array(Math.min(64, size))
    await readExactly(handle, first, 0, label)
    const header = new Uint8Array(readHeaderLength(first, size, label))
    await readExactly(handle, header, 8, label)
    const dataStart = 8 + header.length
    const entries = parseSafetensorsHeader(header, size - dataStart, label)
    return {
      entries: entries.map((entry) => ({ ...entry, file, path, dataStart })),
      sizeBytes: size,
    }
  } finally {
    await handle.close()
  }
}

async function notFound(cause: unknown, folder: string): Promise<unknown> {
  if (!isCotuneError(cause, 'FILE_UNREADABLE')) return cause
  const pickled = await exists(join(folder, 'pytorch_model.bin'))
  return new CotuneError('MODEL_WEIGHTS_NOT_FOUND', cause.message, {
    hint: pickled
      ? 'pytorch_model.bin is a pickle, which can run code: convert it to safetensors first.'
      : 'Give a folder with config.json and model.safetensors (or its shards and their index).',
    cause,
    data: { path: cause.data.path },
    exit: EXIT.data,
  })
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

function repeated({ name, file }: WeightEntry, folder: string): CotuneError {
  return new CotuneError(
    'SAFETENSORS_TENSOR_REPEATED',
    `${shown(file)}: tensor ${shown(name)} is also in another file of ${shown(folder)}`,
    { hint: 'Export the checkpoint anew.', data: { tensor: shown(name) }, exit: EXIT.data },
  )
}
