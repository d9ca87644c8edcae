import { join } from 'node:path'
import { CotuneError, EXIT, isCotuneError, isObject, readJson, readRegularFile } from '#base'
import { configInvalid, type HfConfig } from './hf-config.ts'

export const CONFIG_FILE = 'config.json'

const MAX_BYTES = 4_000_000

/**
 * Reads `config.json` of a checkpoint folder.
 *
 * @throws CotuneError MODEL_CONFIG_NOT_FOUND, MODEL_CONFIG_NOT_JSON, MODEL_CONFIG_INVALID
 */
export async function readCheckpointConfig(folder: string): Promise<HfConfig> {
  const path = join(folder, CONFIG_FILE)
  let bytes: Uint8Array
  try {
    bytes = await readRegularFile(path, MAX_BYTES)
  } catch (cause) {
    if (!isCotuneError(cause, 'FILE_UNREADABLE')) throw cause
    throw new CotuneError('MODEL_CONFIG_NOT_FOUND', cause.message, {
      hint: 'Give a folder with config.json, model.safetensors and tokenizer.json.',
      cause,
      data: { path: cause.data.path },
      exit: EXIT.data,
    })
  }
  const reading = readJson(bytes)
  if (!('value' in reading))
    throw new CotuneError('MODEL_CONFIG_NOT_JSON', `${path} ${reading.problem}`, {
      hint: 'Correct config.json, or download it again.',
      cause: reading.cause,
      data: { path },
      exit: EXIT.data,
    })
  const { value } = reading
  if (!isObject(value)) throw configInvalid('', 'it is not a JSON object')
  return value
}
