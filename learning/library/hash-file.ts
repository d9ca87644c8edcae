import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { openRegularFile } from '#base'

/**
 * SHA-256 (hexadecimal) of a file of any size.
 *
 * @throws CotuneError FILE_UNREADABLE
 */
export async function sha256OfFile(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  const parts = (await openRegularFile(path)).createReadStream({ highWaterMark: 1 << 20 })
  await pipeline(parts, hash, signal === undefined ? {} : { signal })
  return hash.digest('hex')
}
