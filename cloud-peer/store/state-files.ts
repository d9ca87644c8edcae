import { readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { bytesOf, CotuneError, digestOf, EXIT, storageError, writeFileAtomic } from '#base'

/** Adapters of our own, in files named by the SHA-256 of their content: written whole or not at all, checked when read. */
export class StateFiles {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Stores `bytes` durably and returns their digest. @throws CotuneError DISK_FULL */
  async put(bytes: Uint8Array): Promise<string> {
    const digest = await digestOf([bytes])
    const path = this.path(digest)
    try {
      if (!(await this.has(digest))) await writeFileAtomic(path, bytes, 0o600)
    } catch (error) {
      throw storageError(error, path)
    }
    return digest
  }

  /** @throws CotuneError STATE_MISSING, STATE_DAMAGED */
  async get(digest: string): Promise<Uint8Array> {
    const path = this.path(digest)
    const bytes = await readFile(path).catch((cause: unknown) => {
      throw new CotuneError('STATE_MISSING', `The file ${path} cannot be read.`, {
        hint: 'Restore the home folder from a backup.',
        cause,
        data: { digest },
        exit: EXIT.data,
      })
    })
    if ((await digestOf([bytes])) === digest) return bytesOf(bytes)
    throw new CotuneError('STATE_DAMAGED', `The content of ${path} is not what its name says.`, {
      hint: 'The disk is failing or somebody changed the file; restore it from a backup.',
      data: { digest },
      exit: EXIT.data,
    })
  }

  async has(digest: string): Promise<boolean> {
    return stat(this.path(digest)).then(
      () => true,
      () => false,
    )
  }

  async remove(digest: string): Promise<void> {
    await rm(this.path(digest), { force: true })
  }

  path(digest: string): string {
    return join(this.#folder, digest.slice(0, 2), digest)
  }
}
