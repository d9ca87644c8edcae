import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { basename } from 'node:path'
import { CotuneError, EXIT } from '#base'
import type { NamedFile } from './hub-client.ts'
import type { ListedFile } from './hub-repository.ts'

/** What a hub says of a file's content, hexadecimal. */
export interface ExpectedDigests {
  /** Of a large file (Git LFS, Xet): the listing and the reply may both name one. */
  readonly sha256: readonly string[]
  /** Git's id of a small file: SHA-1 of `blob SIZE\0` and the content. */
  readonly gitBlob?: string
}

/** The digests that a listing and a reply name. Of a file in LFS the listing's `oid` is that of a pointer. */
export function expectedDigests(
  { oid, lfs }: Pick<ListedFile, 'oid' | 'lfs'>,
  { linkedEtag, etag }: NamedFile,
): ExpectedDigests {
  const sha256 = [lfs?.oid, linkedEtag].map(bare).filter((digest) => digest.length === 64)
  if (sha256.length > 0) return { sha256 }
  const small = [oid, etag].map(bare).filter((digest) => digest !== '')[0]
  if (small === undefined) return { sha256 }
  return small.length === 64 ? { sha256: [small] } : { sha256, gitBlob: small }
}

/** An ETag without its quotes, if it is a SHA-1 or a SHA-256. */
function bare(text = ''): string {
  const digest = text.replace(/^W\//, '').replaceAll('"', '')
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(digest) ? digest : ''
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
  expected: ExpectedDigests,
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
    expected.sha256.every((digest) => digest === found) &&
    (expected.gitBlob === undefined || expected.gitBlob === gitBlob.digest('hex'))
  if (isRight) return found
  const file = basename(path, '.part')
  throw new CotuneError('MODEL_FILE_CORRUPT', `${file} is not what its digest says`, {
    hint: 'nothing of the model was kept: run the command again; if it happens again, the endpoint is faulty',
    data: { file, expected, sha256: found },
    exit: EXIT.data,
  })
}
