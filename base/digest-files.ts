import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { bytesOf } from './bytes.ts'
import { digestOf } from './digest-of.ts'
import { CotuneError, EXIT } from './errors.ts'
import { writeFileAtomic } from './files.ts'

/** What is to be stored, whole or in parts. */
export type Content = Uint8Array | readonly Uint8Array[]

/** Files named by the SHA-256 of their content: for what is too large for a database row. */
export interface DigestFiles {
  /** Where the file of `digest` is or would be. */
  path(digest: string): string
  /**
   * Writes atomically and durably the parts one after the other; resolves to the digest. Writing the same content again does nothing.
   */
  write(content: Content): Promise<string>
  /** @throws CotuneError `BLOB_MISSING`, `BLOB_CORRUPT` when the content is not what its name says. */
  read(digest: string): Promise<Uint8Array>
  has(digest: string): Promise<boolean>
  /** Removes every file whose digest is not in `keep`, half-written ones included; resolves to how many. */
  sweep(keep: ReadonlySet<string>): Promise<number>
}

export function createDigestFiles(folder: string): DigestFiles {
  const path = (digest: string): string => {
    // The digest may come from a peer, and becomes a path.
    if (!/^[0-9a-f]{64}$/.test(digest)) throw missing(digest, folder)
    return join(folder, digest)
  }
  const has = async (digest: string): Promise<boolean> => {
    const found = await stat(path(digest)).catch(() => undefined)
    return found?.isFile() ?? false
  }
  return {
    path,
    has,
    write: async (content) => {
      const parts = content instanceof Uint8Array ? [content] : content
      const digest = await digestOf(parts)
      if (!(await has(digest))) await writeFileAtomic(path(digest), parts, 0o600)
      return digest
    },
    read: async (digest) => {
      const content = await readFile(path(digest)).catch((cause: unknown) => {
        throw missing(digest, folder, cause)
      })
      if ((await digestOf([content])) === digest) return bytesOf(content)
      throw new CotuneError('BLOB_CORRUPT', `${path(digest)} is damaged: its digest is another`, {
        hint: 'check the disk; the file is fetched or made again when it is removed',
        data: { digest },
        exit: EXIT.data,
      })
    },
    sweep: async (keep) => {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const stray = (await readdir(folder)).filter((name) => !keep.has(name))
      await Promise.all(stray.map((name) => rm(join(folder, name), { force: true })))
      return stray.length
    },
  }
}

function missing(digest: string, folder: string, cause?: unknown): CotuneError {
  return new CotuneError('BLOB_MISSING', `no file of digest ${digest.slice(0, 16)} in ${folder}`, {
    hint: 'it was removed, or never arrived; it is fetched or made again in the next round',
    cause,
    data: { digest },
    exit: EXIT.data,
  })
}
