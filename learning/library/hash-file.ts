import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'

/** SHA-256 (hexadecimal) of a file of any size. */
export async function sha256OfFile(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  const parts = createReadStream(path, { highWaterMark: 1 << 20 })
  await pipeline(parts, hash, signal === undefined ? {} : { signal })
  return hash.digest('hex')
}
