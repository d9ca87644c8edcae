import { countParameters, openCheckpoint } from '#learning/models'
import type { ModelFile } from './manifest.ts'
import type { LibraryModel, ModelLibrary } from './model-library.ts'

export interface AddModelInit {
  readonly name: string
  readonly revision: string
  readonly labels: readonly string[]
  readonly source: string
  /** All files of the staged folder. */
  readonly files: readonly ModelFile[]
}

export interface AddedModel extends LibraryModel {
  /** What was odd but harmless. */
  readonly warnings: readonly string[]
  /** Whether it was not there before. */
  readonly isNew: boolean
}

/**
 * Checks a staged folder and makes it a model of the library.
 *
 * @throws CotuneError of checkpoints and tokenizers (MODEL_*, SAFETENSORS_*, TOKENIZER_*); the folder is then left as it is
 */
export async function addModel(
  library: ModelLibrary,
  staged: string,
  init: AddModelInit,
): Promise<AddedModel> {
  const { model, tokenizer, warnings } = await openCheckpoint(staged)
  const added = await library.add(staged, {
    format: 1,
    ...init,
    labels: [...init.labels],
    files: [...init.files],
    family: model.family,
    parameters: countParameters(model),
    addedAt: new Date().toISOString(),
  })
  const odd = warnings.map(({ message }) => message)
  if (tokenizer === undefined) odd.push('it has no tokenizer.json, without which it cannot be used')
  return { ...added, warnings: odd, isNew: true }
}
