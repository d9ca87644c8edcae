import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { ModelLibrary } from './model-library.ts'
import { type ModelReference, parseModelReference } from './model-name.ts'

/**
 * The folder that a person means by a path or by `NAME[@REVISION]` of a model in the library. A folder that exists wins.
 *
 * @throws CotuneError MODEL_NOT_IN_LIBRARY
 */
export async function resolveModelFolder(
  nameOrPath: string,
  library = new ModelLibrary(),
): Promise<string> {
  const path = resolve(nameOrPath)
  const found = await stat(path).catch(() => undefined)
  if (found !== undefined) return path
  let reference: ModelReference
  try {
    reference = parseModelReference(nameOrPath)
  } catch {
    // It can only have been a path: whoever opens it says what is missing there.
    return path
  }
  const [newest] = await library.find(reference)
  if (newest !== undefined) return newest.folder
  throw await library.missing(
    nameOrPath,
    `there is no folder ${nameOrPath}, nor a model of that name`,
  )
}
