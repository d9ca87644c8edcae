import { randomBytes } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { storageError } from './storage-error.ts'

/**
 * Writes a file so that a reader, or a restart after a crash, sees the old content or the new, never a part:
 * temporary file, fsync, rename, fsync of the folder.
 *
 * @throws CotuneError `DISK_FULL`.
 */
export async function writeFileAtomic(
  path: string,
  content: Uint8Array | string | AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  mode = 0o644,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const file = await open(temporary, 'wx', mode)
    try {
      if (typeof content === 'string' || content instanceof Uint8Array)
        await file.writeFile(content)
      // Unlike write(), writeFile() goes on after a short write.
      else for await (const part of content) await file.writeFile(part)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw storageError(error, path)
  }
  await syncFolder(dirname(path))
}

/** Makes a rename in `folder` durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
