import { mkdir, readdir, rename, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { CotuneError, didYouMean, EXIT, modelLibraryPath, syncFolder } from '#base'
import { MANIFEST_FILE, type ModelManifest, readManifest, writeManifest } from './manifest.ts'
import { type ModelReference, modelFolderName, parseModelReference } from './model-name.ts'
import { lockStaging, unlockStaging } from './staging-lock.ts'

/** A model that is whole and was checked. */
export interface LibraryModel {
  readonly folder: string
  readonly manifest: ModelManifest
}

/** A model of which only a part was downloaded. */
export interface PartialModel {
  readonly folder: string
  readonly name: string
  readonly revision: string
}

export interface RemovedModel extends PartialModel {
  readonly freedBytes: number
}

export interface ModelLibraryInit {
  /** Free bytes of the disk that a folder is on. */
  readonly freeBytes?: (folder: string) => Promise<number>
}

/** A disk is not filled to the last byte. */
const SPARE_BYTES = 64 * 1_048_576

/** Downloads under way lie here, a folder a model; a name of a model cannot begin with a dot. */
const STAGING = '.partial'

/**
 * A folder of models, one folder a revision (`ORG--NAME@COMMIT`), each with a manifest. A model comes to be by a rename,
 * so what is here is whole. Several processes may use it at once.
 */
export class ModelLibrary {
  readonly folder: string
  readonly #freeBytes: (folder: string) => Promise<number>

  constructor(folder: string = modelLibraryPath(), init: ModelLibraryInit = {}) {
    this.folder = folder
    this.#freeBytes = init.freeBytes ?? freeBytesOf
  }

  /** By name, the newest revision of each first. */
  async list(): Promise<readonly LibraryModel[]> {
    const models: LibraryModel[] = []
    for (const name of await foldersIn(this.folder)) {
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
    throw await this.missing(text)
  }

  /**
   * A folder to put the files of a revision into, for one process at a time; what an earlier try left is still in it.
   *
   * @throws CotuneError MODEL_NAME_INVALID, MODEL_PULL_UNDER_WAY, MODEL_LIBRARY_UNUSABLE
   */
  async stage<T>(name: string, commit: string, use: (staged: string) => Promise<T>): Promise<T> {
    const folder = join(this.folder, STAGING, modelFolderName(name, commit))
    await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
      throw unusable(this.folder, cause)
    })
    await lockStaging(folder)
    try {
      return await use(folder)
    } finally {
      await unlockStaging(folder)
    }
  }

  /** Makes a staged folder a model of the library. */
  async add(staged: string, manifest: ModelManifest): Promise<LibraryModel> {
    const folder = join(this.folder, modelFolderName(manifest.name, manifest.revision))
    await writeManifest(staged, manifest)
    await unlockStaging(staged)
    // What is there has no manifest that can be read, or it would have been found.
    await rm(folder, { recursive: true, force: true })
    await rename(staged, folder)
    await syncFolder(this.folder)
    return { folder, manifest }
  }

  /** Notes that a model was asked for once more, by these labels. */
  async touch(
    { folder, manifest }: LibraryModel,
    labels: readonly string[] = [],
  ): Promise<LibraryModel> {
    const touched = {
      ...manifest,
      labels: [...new Set([...manifest.labels, ...labels])],
      addedAt: new Date().toISOString(),
    }
    await writeManifest(folder, touched)
    return { folder, manifest: touched }
  }

  /** What was downloaded of models that are not whole yet; of one, if a reference names one. */
  async partials(reference?: ModelReference): Promise<readonly PartialModel[]> {
    const folder = join(this.folder, STAGING)
    const partials = (await foldersIn(folder)).map((entry) => {
      const [name = '', revision = ''] = entry.split('@')
      return { folder: join(folder, entry), name: name.replace('--', '/'), revision }
    })
    return partials.filter(
      ({ name, revision }) =>
        reference === undefined ||
        (reference.name === name &&
          (reference.revision === undefined || isPrefixOf(reference.revision, revision))),
    )
  }

  /**
   * Removes all revisions that `NAME[@REVISION]` means, whole or not.
   *
   * @returns what was removed
   * @throws CotuneError MODEL_NAME_INVALID, MODEL_NOT_IN_LIBRARY
   */
  async remove(text: string): Promise<readonly RemovedModel[]> {
    const reference = parseModelReference(text)
    const models = await this.find(reference)
    const whole = models.map(({ folder, manifest: { name, revision } }) => ({
      folder,
      name,
      revision,
    }))
    const removed: RemovedModel[] = []
    for (const model of [...whole, ...(await this.partials(reference))]) {
      const freedBytes = await sizeOfFolder(model.folder)
      // The manifest first: a folder of which half is gone is no model any more.
      await rm(join(model.folder, MANIFEST_FILE), { force: true })
      await rm(model.folder, { recursive: true, force: true })
      removed.push({ ...model, freedBytes })
    }
    if (removed.length === 0) throw await this.missing(text)
    return removed
  }

  /**
   * Before so many bytes are written here.
   *
   * @throws CotuneError DISK_FULL
   */
  async requireSpace(neededBytes: number): Promise<void> {
    const freeBytes = await this.#freeBytes(this.folder)
    if (freeBytes >= neededBytes + SPARE_BYTES) return
    const [needed, spare, free] = [neededBytes, SPARE_BYTES, freeBytes].map(inUnits)
    const message = `${this.folder} has ${free} free; ${needed} are needed, and ${spare} to spare`
    throw new CotuneError('DISK_FULL', message, {
      hint: 'free some space (cotune model remove), or name a folder on another disk in COTUNE_MODELS',
      data: { path: this.folder, neededBytes, freeBytes },
      exit: EXIT.data,
    })
  }

  /** The error of a name that nothing goes by, with the name that may have been meant. */
  async missing(text: string, what = `there is no model ${text}`): Promise<CotuneError> {
    const known = [...new Set((await this.list()).map(({ manifest }) => manifest.name))]
    const near = didYouMean(text, known)
    const next =
      near === undefined ? `cotune model pull ${text} fetches it;` : `did you mean ${near}?`
    return new CotuneError('MODEL_NOT_IN_LIBRARY', `${what} in ${this.folder}`, {
      hint: `${next} cotune model list says what is there`,
      data: { model: text, library: this.folder },
      exit: EXIT.data,
    })
  }
}

async function foldersIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return []
    throw unusable(folder, cause)
  })
  return names.filter((name) => name.includes('@'))
}

async function sizeOfFolder(folder: string): Promise<number> {
  let sizeBytes = 0
  for (const name of await readdir(folder)) sizeBytes += (await stat(join(folder, name))).size
  return sizeBytes
}

async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

/** As git has it, 7 digits of a commit are enough. */
function isPrefixOf(digits: string, revision: string): boolean {
  return digits === revision || (digits.length >= 7 && revision.startsWith(digits))
}

function unusable(folder: string, cause: unknown): CotuneError {
  return new CotuneError(
    'MODEL_LIBRARY_UNUSABLE',
    `cannot use ${folder} as the library of models`,
    {
      hint: 'check its permissions, or name another folder in COTUNE_MODELS',
      cause,
      data: { folder },
      exit: EXIT.config,
    },
  )
}

/** `2.50 GB`, `12.3 MB`: how disks are sold. */
function inUnits(sizeBytes: number): string {
  return sizeBytes >= 1e9
    ? `${(sizeBytes / 1e9).toFixed(2)} GB`
    : `${(sizeBytes / 1e6).toFixed(1)} MB`
}
