import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { basename } from 'node:path'
import { CotuneError, EXIT } from '#base'
import type { ListedFile } from './hub-repository.ts'

/** What a hub says of a file's content. */
export interface ExpectedDigest {
  /** Of a large file (Git LFS, Xet), hexadecimal. */
  readonly sha256?: string
  /** Git's id of a small file: SHA-1 of `blob SIZE\0` and the content. */
  readonly gitBlob?: string
}

/**
 * The digest that a listing or, if it has none, an ETag names. Of a file in LFS the listing's `oid` is that of a pointer.
 */
export function expectedDigest(
  { oid, lfs }: Pick<ListedFile, 'oid' | 'lfs'>,
  etag: string | undefined,
): ExpectedDigest {
  const tag = etag?.replace(/^W\//, '').replaceAll('"', '') ?? ''
  const sha256 = lfs?.oid ?? tag
  if (/^[0-9a-f]{64}$/.test(sha256)) return { sha256 }
  const gitBlob = oid ?? tag
  return /^[0-9a-f]{40}$/.test(gitBlob) ? { gitBlob } : {}
}

/**
 * Reads a file once and holds it to what the hub says.
 *
 * @returns its SHA-256, hexadecimal
 * @throws CotuneError MODEL_FILE_CORRUPT
 */
export async function checkDigest(
  path: string,
  sizeBytes: number,
  expected: ExpectedDigest,
  signal: AbortSignal,
): Promise<string> {
  const sha256 = createHash('sha256')
  const gitBlob = createHash('sha1').update(`blob ${sizeBytes}\0`)
  for await (const part of createReadStream(path, { highWaterMark: 1 << 20, signal })) {
    sha256.update(part as Buffer)
    if (expected.gitBlob !== undefined) gitBlob.update(part as Buffer)
  }
  const found = sha256.digest('hex')
  const isRight =
    (expected.sha256 === undefined || expected.sha256 === found) &&
    (expected.gitBlob === undefined || expected.gitBlob === gitBlob.digest('hex'))
  if (isRight) return found
  const file = basename(path)
  throw new CotuneError('MODEL_FILE_CORRUPT', `${file} is not what its digest says`, {
    hint: 'nothing of the model was kept: run the command again; if it happens again, the endpoint is faulty',
    data: { file, expected: expected.sha256 ?? expected.gitBlob, sha256: found },
    exit: EXIT.data,
  })
}
