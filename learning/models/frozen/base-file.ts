import { randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { bytesOf, storageError, writeFileAtomic } from '#base'

/** The pieces of a prepared base lie in one file, listed in another that is written last: with it the base is whole. */
export const BASE_FILE = 'base.bin'
const LIST_FILE = 'base.json'

/** Pieces begin at multiples of a cache line. */
const ALIGNMENT = 64

const place = z.tuple([z.int().nonnegative(), z.int().nonnegative()])
const listSchema = z.record(z.string(), place)

/** Offset and size in bytes of each piece. */
export type BaseList = Readonly<Record<string, readonly [number, number]>>

/** The pieces in `folder`; undefined where there is no whole base. */
export async function readBaseList(folder: string): Promise<BaseList | undefined> {
  const text = await readFile(join(folder, LIST_FILE), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  try {
    return listSchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** Writes pieces one after the other; nothing counts before `finish`. */
export class BaseWriter {
  readonly #folder: string
  readonly #temporary: string
  readonly #file: FileHandle
  readonly #list: Record<string, readonly [number, number]> = {}
  #end = 0

  private constructor(folder: string, temporary: string, file: FileHandle) {
    this.#folder = folder
    this.#temporary = temporary
    this.#file = file
  }

  static async create(folder: string): Promise<BaseWriter> {
    await mkdir(folder, { recursive: true })
    const temporary = join(folder, `${BASE_FILE}.${randomBytes(6).toString('hex')}.tmp`)
    return new BaseWriter(folder, temporary, await open(temporary, 'wx', 0o600))
  }

  async add(
    name: string,
    parts: Iterable<ArrayBufferView> | AsyncIterable<ArrayBufferView>,
  ): Promise<void> {
    const start = Math.ceil(this.#end / ALIGNMENT) * ALIGNMENT
    let at = start
    for await (const part of parts) {
      const bytes = bytesOf(part)
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await this.#write(bytes.subarray(done), at + done)
        done += bytesWritten
      }
      at += bytes.length
    }
    this.#list[name] = [start, at - start]
    this.#end = at
  }

  async finish(): Promise<BaseList> {
    await this.#file.sync()
    await this.#file.close()
    await rename(this.#temporary, join(this.#folder, BASE_FILE))
    await writeFileAtomic(join(this.#folder, LIST_FILE), JSON.stringify(this.#list))
    return this.#list
  }

  async #write(bytes: Uint8Array, at: number): Promise<{ readonly bytesWritten: number }> {
    try {
      return await this.#file.write(bytes, 0, Math.min(bytes.length, 2 ** 30), at)
    } catch (error) {
      throw storageError(error, this.#folder)
    }
  }

  /** Leaves nothing behind. */
  async abandon(): Promise<void> {
    await this.#file.close().catch(() => undefined)
    await rm(this.#temporary, { force: true })
  }
}
