import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { bytesOf, writeFileAtomic } from '#base'

/** The pieces of a prepared base lie in one file, listed in another that is written last: with it the base is whole. */
export const BASE_FILE = 'base.bin'
const LIST_FILE = 'base.json'

/** Pieces begin at multiples of a cache line. */
const ALIGNMENT = 64

const place = z.tuple([z.int().nonnegative(), z.int().nonnegative()])
const listSchema = z.record(z.string(), place)

/** Offset and size in bytes of each piece. */
export type BaseList = Readonly<Record<string, readonly [number, number]>>

/** What is written under one name. A part lasts until the next one is asked for. */
export interface BasePiece {
  readonly name: string
  readonly parts: Iterable<ArrayBufferView> | AsyncIterable<ArrayBufferView>
}

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

/**
 * Writes pieces one after the other; what fails half-way leaves nothing.
 *
 * @throws CotuneError DISK_FULL, and whatever making the pieces throws
 */
export async function writeBase(
  folder: string,
  pieces: AsyncIterable<BasePiece>,
): Promise<BaseList> {
  const list: Record<string, readonly [number, number]> = {}
  async function* content(): AsyncGenerator<Uint8Array> {
    let end = 0
    for await (const { name, parts } of pieces) {
      const start = Math.ceil(end / ALIGNMENT) * ALIGNMENT
      yield new Uint8Array(start - end)
      end = start
      for await (const part of parts) {
        yield bytesOf(part)
        end += part.byteLength
      }
      list[name] = [start, end - start]
    }
  }
  await writeFileAtomic(join(folder, BASE_FILE), content(), 0o600)
  await writeFileAtomic(join(folder, LIST_FILE), JSON.stringify(list))
  return list
}
