import { constants } from 'node:fs'
import { type FileHandle, lstat, open, stat } from 'node:fs/promises'
import { CotuneError, EXIT } from './errors.ts'
import { shown } from './shown.ts'

/** Longer than any system takes. */
const MAX_PATH_CHARACTERS = 4_096

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'it does not exist',
  EACCES: 'it may not be read',
  EPERM: 'it may not be read',
  ELOOP: 'its links form a circle',
  ENAMETOOLONG: 'its name is too long',
}

/**
 * Opens a file from elsewhere for reading. Links are followed, but a folder, pipe or device in its place is refused:
 * reading from a pipe might never end.
 *
 * @throws CotuneError FILE_UNREADABLE; `data.missing` where there is no such file
 */
export async function openRegularFile(path: string): Promise<FileHandle> {
  let isFile: boolean
  try {
    isFile = (await stat(path)).isFile()
    // Should a pipe have taken the file's place by now, opening it does not wait for its writer.
    if (isFile) return await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException
    // A folder of Hugging Face's cache is often copied without what its links lead to.
    const isLink = code === 'ENOENT' && (await lstat(path).catch(() => undefined)) !== undefined
    const reason = isLink ? 'it is a link that leads nowhere' : REASONS[code]
    throw unreadable(path, reason ?? `the system says ${code}`, { code, cause })
  }
  throw unreadable(path, 'it is no regular file')
}

/**
 * The whole of a small file from elsewhere.
 *
 * @throws CotuneError FILE_UNREADABLE
 */
export async function readRegularFile(path: string, maxBytes: number): Promise<Uint8Array> {
  const handle = await openRegularFile(path)
  try {
    const { size } = await handle.stat()
    if (size > maxBytes)
      throw unreadable(path, `it has ${size} bytes, at most ${maxBytes} are read`)
    return await handle.readFile()
  } finally {
    await handle.close()
  }
}

function unreadable(
  path: string,
  reason: string,
  { code, cause }: { readonly code?: string; readonly cause?: unknown } = {},
): CotuneError {
  const name = shown(path, MAX_PATH_CHARACTERS)
  return new CotuneError('FILE_UNREADABLE', `${name} cannot be read: ${reason}`, {
    hint: 'Check the path and its permissions.',
    data: { path: name, missing: code === 'ENOENT' || code === 'ENOTDIR' },
    exit: EXIT.data,
    cause,
  })
}
