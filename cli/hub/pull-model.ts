import { readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CotuneError } from '#base'
import {
  type AddedModel,
  addModel,
  type ModelFile,
  type ModelLibrary,
  type ModelReference,
  neededFiles,
} from '#learning/library'
import { createModel, INDEX_FILE, readCheckpointConfig } from '#learning/models'
import { checkDigest, expectedDigests } from './check-digest.ts'
import { downloadFile } from './download-file.ts'
import { HubClient, type HubClientInit, type NamedFile } from './hub-client.ts'
import { type ListedFile, listRepository, resolveCommit, resolveUrl } from './hub-repository.ts'

export interface PullInit extends Omit<HubClientInit, 'name' | 'revision'> {
  readonly reference: ModelReference
  readonly library: ModelLibrary
  readonly onProgress?: (progress: PullProgress) => void
}

/** How far a pull is, over all files. */
export interface PullProgress {
  readonly file: string
  readonly haveBytes: number
  readonly totalBytes: number
}

/**
 * Downloads what is needed of a model into the library. The revision is resolved to a commit first; what came of an
 * earlier try for the same commit is gone on with. The model appears when it is whole and checked.
 *
 * @throws CotuneError MODEL_HUB_*, MODEL_DOWNLOAD_BROKEN, MODEL_FILE_CORRUPT, MODEL_FILES_MISSING, DISK_FULL, those of
 * {@link addModel}, and the reason of the signal. What came is kept when trying again can help.
 */
export async function pullModel(init: PullInit): Promise<AddedModel> {
  const { reference, library, endpoint } = init
  const { name, revision } = reference
  const here = await library.find(reference)
  const pinned = here.find(({ manifest }) => manifest.revision === revision)
  if (pinned !== undefined) return { ...(await library.touch(pinned)), warnings: [], isNew: false }

  const client = new HubClient({ ...init, name, revision })
  const commit = await resolveCommit(client)
  const label = revision ?? 'main'
  const labels = commit.startsWith(label) ? [] : [label]
  const [known] = await library.find({ name, revision: commit })
  if (known !== undefined)
    return { ...(await library.touch(known, labels)), warnings: [], isNew: false }

  const listed = await listRepository(client, commit)
  return library.stage(name, commit, async (staged) => {
    try {
      const files = await new Pull(client, staged, commit, init).all(library, listed)
      const source = `${endpoint}/${name}`
      return await addModel(library, staged, { name, revision: commit, labels, source, files })
    } catch (error) {
      if (!canGoOn(error, init.signal)) await rm(staged, { recursive: true, force: true })
      throw error
    }
  })
}

/** Whether the same command can go on from what is there; not if what is there is wrong. */
function canGoOn(error: unknown, signal: AbortSignal): boolean {
  if (signal.aborted || !(error instanceof CotuneError)) return true
  return /^(DISK_FULL|MODEL_DOWNLOAD_BROKEN$|MODEL_HUB_)/.test(error.code)
}

/** The files of one commit on their way into the staging folder. */
class Pull {
  readonly #client: HubClient
  readonly #staged: string
  readonly #commit: string
  readonly #init: PullInit
  readonly #have = new Map<string, number>()
  #totalBytes = 0

  constructor(client: HubClient, staged: string, commit: string, init: PullInit) {
    this.#client = client
    this.#staged = staged
    this.#commit = commit
    this.#init = init
  }

  async all(
    library: ModelLibrary,
    listed: ReadonlyMap<string, ListedFile>,
  ): Promise<readonly ModelFile[]> {
    const names = await neededFiles(new Set(listed.keys()), async () => {
      await this.#file(listed.get(INDEX_FILE)!)
      return readFile(join(this.#staged, INDEX_FILE))
    })
    const needed = names.map((name) => listed.get(name)!)
    this.#totalBytes = needed.reduce((sum, file) => sum + sizeOf(file), 0)
    for (const { path } of needed) this.#have.set(path, await this.#sizeOnDisk(path))
    await library.requireSpace(this.#totalBytes - this.#haveBytes())
    const files: ModelFile[] = []
    for (const file of needed) {
      files.push(await this.#file(file))
      if (file.path === 'config.json') await this.#requireSupported()
    }
    return files
  }

  /** One file, checked; its name says that it is whole. */
  async #file(listed: ListedFile): Promise<ModelFile> {
    const name = listed.path
    const sizeBytes = sizeOf(listed)
    const path = join(this.#staged, name)
    const { signal } = this.#init
    const check = (at: string, named: NamedFile = {}) =>
      checkDigest(at, sizeBytes, expectedDigests(listed, named), signal)
    if ((await sizeOfFile(path)) === sizeBytes)
      return { name, sizeBytes, sha256: await check(path) }
    const named = await downloadFile(this.#client, {
      url: resolveUrl(this.#client.subject, this.#commit, name),
      path: `${path}.part`,
      sizeBytes,
      onBytes: (haveBytes) => this.#tell(name, haveBytes),
    })
    const sha256 = await check(`${path}.part`, named)
    await rename(`${path}.part`, path)
    return { name, sizeBytes, sha256 }
  }

  #tell(file: string, haveBytes: number): void {
    this.#have.set(file, haveBytes)
    this.#init.onProgress?.({ file, haveBytes: this.#haveBytes(), totalBytes: this.#totalBytes })
  }

  #haveBytes(): number {
    return [...this.#have.values()].reduce((sum, bytes) => sum + bytes, 0)
  }

  async #sizeOnDisk(name: string): Promise<number> {
    const path = join(this.#staged, name)
    return (await sizeOfFile(path)) ?? (await sizeOfFile(`${path}.part`)) ?? 0
  }

  /** Of a model that cannot be used no gigabytes are fetched. */
  async #requireSupported(): Promise<void> {
    createModel(await readCheckpointConfig(this.#staged))
  }
}

function sizeOf({ size, lfs }: ListedFile): number {
  return lfs?.size ?? size
}

async function sizeOfFile(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined)
  return found?.size
}
