import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { CotuneError, EXIT } from '#base'

/** Without these no peer starts; what is in them it checks then. */
const NEEDED = ['config.json', 'tokenizer.json'] as const

/**
 * What a configuration shall say for a model that a person named: the path of its folder, or its name in the library as it
 * was given.
 *
 * @throws CotuneError INIT_NO_MODEL, MODEL_NOT_IN_LIBRARY
 */
export async function modelSetting(given: string): Promise<string> {
  const { resolveModelFolder } = await import('#learning/library')
  const folder = await resolveModelFolder(given)
  const missing = NEEDED.find((name) => !existsSync(join(folder, name)))
  if (missing === undefined) return folder === resolve(given) ? folder : given
  throw new CotuneError('INIT_NO_MODEL', `${folder} is no model of a peer: it has no ${missing}`, {
    hint: 'a model is a folder with config.json, model.safetensors and tokenizer.json; cotune model pull fetches one',
    data: { folder },
    exit: EXIT.config,
  })
}
