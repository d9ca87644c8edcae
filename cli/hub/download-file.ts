import { type FileHandle, open } from 'node:fs/promises'
import { basename } from 'node:path'
import { CotuneError, EXIT, storageError } from '#base'
import type { HubClient, HubReply, NamedFile } from './hub-client.ts'
import { broken } from './hub-errors.ts'

export interface DownloadInit {
  readonly url: string
  /** The part that is there, if any, is gone on with. */
  readonly path: string
  readonly sizeBytes: number
  /** Told how much of the file is here, after each piece. */
  readonly onBytes: (haveBytes: number) => void
}

/**
 * Downloads a file of known size into `path`, going on from what is there by range requests, over as many connections as
 * it takes. The bytes are not checked yet.
 *
 * @returns what the hub said of the file, if it was asked
 * @throws CotuneError MODEL_HUB_*, MODEL_DOWNLOAD_BROKEN, MODEL_FILE_CORRUPT, DISK_FULL
 */
export async function downloadFile(
  client: HubClient,
  { url, path, sizeBytes, onBytes }: DownloadInit,
): Promise<NamedFile> {
  const file = await open(path, 'a')
  let named: NamedFile = {}
  try {
    let have = (await file.stat()).size
    const restart = async (): Promise<void> => {
      await file.truncate(0)
      have = 0
      onBytes(have)
    }
    if (have > sizeBytes) await restart()
    else onBytes(have)
    const append = async (reply: HubReply): Promise<void> => {
      named = reply.named
      const begin = beginOf(reply, sizeBytes)
      if (begin !== have) await restart()
      if (begin !== have) throw broken(client.subject, new Error('another range than asked for'))
      for await (const chunk of reply.chunks()) {
        if (have + chunk.length > sizeBytes) throw tooLong(path, sizeBytes)
        await write(file, chunk, path)
        have += chunk.length
        onBytes(have)
      }
      if (have < sizeBytes) throw broken(client.subject, new Error('it ended early'))
    }
    if (have < sizeBytes) {
      await client.request({
        url,
        headers: async () => (have > 0 ? { range: `bytes=${have}-` } : {}),
        progress: () => have,
        accept: [416],
        use: append,
      })
    }
    await file.sync()
  } finally {
    await file.close()
  }
  return named
}

/** Where in the file the reply begins; undefined when it cannot be used. */
function beginOf({ status, headers }: HubReply, sizeBytes: number): number | undefined {
  if (status === 416) return undefined
  if (status !== 206) return 0
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '')
  const [, begin, size] = range ?? []
  return begin !== undefined && (size === '*' || Number(size) === sizeBytes)
    ? Number(begin)
    : undefined
}

async function write(file: FileHandle, chunk: Uint8Array, path: string): Promise<void> {
  try {
    // Unlike write(), appendFile() goes on after a short write.
    await file.appendFile(chunk)
  } catch (error) {
    throw storageError(error, path)
  }
}

function tooLong(path: string, sizeBytes: number): CotuneError {
  return new CotuneError(
    'MODEL_FILE_CORRUPT',
    `${basename(path, '.part')} is longer than the ${sizeBytes} bytes it should be`,
    {
      hint: 'nothing of the model was kept: run the command again; if it happens again, the endpoint is faulty',
      data: { path, sizeBytes },
      exit: EXIT.data,
    },
  )
}
