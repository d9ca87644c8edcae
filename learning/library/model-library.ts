import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { CotuneError, didYouMean, EXIT, modelLibraryPath, syncFolder } from '#base'
import { type ModelManifest, readManifest, writeManifest } from './manifest.ts'
import { type ModelReference, modelFolderName, parseModelReference } from './model-name.ts'

/** A model that is whole and was checked. */
export interface LibraryModel {
  readonly folder: string
  readonly manifest: ModelManifest
}

/** Downloads under way lie here, a folder a model; a name of a model cannot begin with a dot. */
const STAGING = '.partial'

/**
 * A folder of models, one folder a revision (`ORG--NAME@COMMIT`), each with a manifest. A model comes to be by a rename,
 * so what is here is whole. Several processes may use it at once.
 */
export class ModelLibrary {
  readonly folder: string

  constructor(folder: string = modelLibraryPath()) {
    this.folder = folder
  }

  /** By name, the newest revision of each first. */
  async list(): Promise<readonly LibraryModel[]> {
    const names = await readdir(this.folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw unreadable(this.folder, error)
    })
    const models: LibraryModel[] = []
    for (const name of names.filter((each) => each.includes('@'))) {
      const folder = join(this.folder, name)
      const manifest = await readManifest(folder)
      if (manifest !== undefined) models.push({ folder, manifest })
    }
    return models.sort(
      (a, b) =>
        a.manifest.name.localeCompare(b.manifest.name) ||
        b.manifest.addedAt.localeCompare(a.manifest.addedAt),
    )
  }

  /** All revisions that a reference means, the newest first. */
  async find({ name, revision }: ModelReference): Promise<readonly LibraryModel[]> {
    const sameName = (await this.list()).filter(({ manifest }) => manifest.name === name)
    if (revision === undefined) return sameName
    return sameName.filter(
      ({ manifest }) =>
        manifest.labels.includes(revision) || isPrefixOf(revision, manifest.revision),
    )
  }

  /**
   * The newest model that `NAME[@REVISION]` means.
   *
   * @throws CotuneError MODEL_NAME_INVALID, MODEL_NOT_IN_LIBRARY
   */
  async get(text: string): Promise<LibraryModel> {
    const [newest] = await this.find(parseModelReference(text))
    if (newest !== undefined) return newest
    throw await this.#missing(text)
  }

  /** A folder to put the files of a revision into; what an earlier try left is still in it. */
  async stage(name: string, commit: string): Promise<string> {
    const folder = join(this.folder, STAGING, modelFolderName(name, commit))
    await mkdir(folder, { recursive: true })
    return folder
  }

  /** Makes a staged folder a model of the library; if another process was quicker, its one stays. */
  async add(staged: string, manifest: ModelManifest): Promise<LibraryModel> {
    const folder = join(this.folder, modelFolderName(manifest.name, manifest.revision))
    await writeManifest(staged, manifest)
    try {
      await rename(staged, folder)
    } catch (error) {
      if ((await readManifest(folder)) === undefined) throw error
      await rm(staged, { recursive: true, force: true })
    }
    await syncFolder(this.folder)
    return { folder, manifest }
  }

  /** Notes that a model was asked for once more, by that label. */
  async touch({ folder, manifest }: LibraryModel, label?: string): Promise<LibraryModel> {
    const labels = new Set([...manifest.labels, ...(label === undefined ? [] : [label])])
    const touched = { ...manifest, labels: [...labels], addedAt: new Date().toISOString() }
    await writeManifest(folder, touched)
    return { folder, manifest: touched }
  }

  /**
   * Removes all revisions that `NAME[@REVISION]` means, and what was downloaded of others.
   *
   * @throws CotuneError MODEL_NAME_INVALID, MODEL_NOT_IN_LIBRARY
   */
  async remove(text: string): Promise<readonly LibraryModel[]> {
    const reference = parseModelReference(text)
    const models = await this.find(reference)
    if (models.length === 0) throw await this.#missing(text)
    // Out of sight first: nobody opens a model of which half is gone.
    for (const { folder } of models) {
      const aside = `${folder}.removed`.replace(this.folder, join(this.folder, STAGING))
      await mkdir(join(this.folder, STAGING), { recursive: true })
      await rm(aside, { recursive: true, force: true })
      await rename(folder, aside)
      await rm(aside, { recursive: true, force: true })
    }
    return models
  }

  async #missing(text: string): Promise<CotuneError> {
    const known = [...new Set((await this.list()).map(({ manifest }) => manifest.name))]
    const near = didYouMean(text, known)
    return new CotuneError('MODEL_NOT_IN_LIBRARY', `the library has no model ${text}`, {
      hint:
        near === undefined
          ? `cotune model pull ${text} fetches it; cotune model list says what is there`
          : `did you mean ${near}? cotune model list says what is there`,
      data: { model: text, library: this.folder },
      exit: EXIT.data,
    })
  }
}

/** As git has it, 7 digits of a commit are enough. */
function isPrefixOf(digits: string, revision: string): boolean {
  return digits === revision || (digits.length >= 7 && revision.startsWith(digits))
}

function unreadable(folder: string, cause: unknown): CotuneError {
  return new CotuneError('MODEL_LIBRARY_UNUSABLE', `cannot read the models in ${folder}`, {
    hint: 'check its permissions, or name another folder in COTUNE_MODELS',
    cause,
    data: { folder },
    exit: EXIT.config,
  })
}
