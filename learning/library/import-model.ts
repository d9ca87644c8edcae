import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { constants, copyFile, readdir, rm, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { CotuneError, EXIT, readRegularFile, storageError } from '#base'
import { INDEX_FILE, MAX_INDEX_BYTES, openCheckpoint } from '#learning/models'
import { type AddedModel, addModel } from './add-model.ts'
import { sha256OfFile } from './hash-file.ts'
import type { ModelFile } from './manifest.ts'
import type { ModelLibrary } from './model-library.ts'
import { parseModelReference } from './model-name.ts'
import { neededFiles } from './needed-files.ts'

/**
 * Copies a checkpoint folder into the library, as clones that share their blocks where the file system can. Its revision
 * is a digest of the files, so the same folder is imported once.
 *
 * @throws CotuneError MODEL_FOLDER_UNREADABLE, MODEL_NAME_INVALID, MODEL_FILES_MISSING, DISK_FULL, and those of {@link addModel}
 */
export async function importModel(
  library: ModelLibrary,
  folder: string,
  name = basename(resolve(folder)),
): Promise<AddedModel> {
  parseModelReference(name)
  const source = resolve(folder)
  const names = await listFiles(source)
  // Before gigabytes are read, and once more on the copy.
  await openCheckpoint(source)
  const files = await digestFiles(source, names)
  const revision = revisionOf(files)
  const [known] = await library.find({ name, revision })
  if (known !== undefined) return { ...(await library.touch(known)), warnings: [], isNew: false }
  return library.stage(name, revision, async (staged) => {
    try {
      await copyFiles(library, source, staged, files)
      return await addModel(library, staged, { name, revision, labels: [], source, files })
    } catch (error) {
      await rm(staged, { recursive: true, force: true })
      throw storageError(error, staged)
    }
  })
}

async function listFiles(folder: string): Promise<readonly string[]> {
  const present = await readdir(folder).catch((cause: unknown) => {
    throw new CotuneError('MODEL_FOLDER_UNREADABLE', `cannot read the folder ${folder}`, {
      hint: 'give a folder with config.json, model.safetensors and tokenizer.json',
      cause,
      data: { folder },
      exit: EXIT.data,
    })
  })
  return neededFiles(new Set(present), () =>
    readRegularFile(join(folder, INDEX_FILE), MAX_INDEX_BYTES),
  )
}

/** Of files that are there: a link that leads nowhere is one that is left out, as when the checkpoint is opened. */
async function digestFiles(
  folder: string,
  names: readonly string[],
): Promise<readonly ModelFile[]> {
  const files: ModelFile[] = []
  for (const name of names) {
    const path = join(folder, name)
    if (!existsSync(path)) continue
    files.push({ name, sizeBytes: (await stat(path)).size, sha256: await sha256OfFile(path) })
  }
  return files
}

function revisionOf(files: readonly ModelFile[]): string {
  const hash = createHash('sha256')
  for (const { name, sha256 } of files) hash.update(`${sha256}  ${name}\n`)
  return hash.digest('hex').slice(0, 40)
}

async function copyFiles(
  library: ModelLibrary,
  from: string,
  to: string,
  files: readonly ModelFile[],
): Promise<void> {
  for (const { name, sizeBytes } of files) {
    const [source, target] = [join(from, name), join(to, name)]
    // Not a hard link: who edits the source in place would change the model of the library.
    await copyFile(source, target, constants.COPYFILE_FICLONE_FORCE).catch(async () => {
      await library.requireSpace(sizeBytes)
      await copyFile(source, target)
    })
  }
}
