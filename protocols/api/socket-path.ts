import { lstat, mkdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CotuneError, EXIT, sha256Hex, writeFileAtomic } from '#base'

/** `sockaddr_un.sun_path` has 108 bytes on Linux, one of them for the end. */
const MAX_SOCKET_PATH_BYTES = 107

/** Where a peer with this home listens. */
export function controlSocketPath(home: string): string {
  return join(home, 'control.sock')
}

/**
 * Where to listen for `socketPath`: itself where it fits, else a short path in a private folder of the temporary
 * directory, recorded in `<socketPath>.path`.
 * @throws CotuneError API_SOCKET_PATH_TOO_LONG, API_SOCKET_FOLDER_UNSAFE
 */
export async function claimSocketPath(socketPath: string): Promise<string> {
  if (fits(socketPath)) return socketPath
  const short = shortPath(socketPath)
  if (!fits(short)) {
    throw new CotuneError('API_SOCKET_PATH_TOO_LONG', `a unix socket cannot be named ${short}`, {
      hint: `use a shorter --home or TMPDIR: at most ${MAX_SOCKET_PATH_BYTES} bytes with the file name`,
      data: { socketPath, short },
      exit: EXIT.config,
    })
  }
  await claimFolder(join(short, '..'))
  await writeFileAtomic(recordOf(socketPath), `${short}\n`, 0o600)
  return short
}

/** Where a peer that was told to listen on `socketPath` really does. */
export async function resolveSocketPath(socketPath: string): Promise<string> {
  if (fits(socketPath)) return socketPath
  const recorded = await readFile(recordOf(socketPath), 'utf8').catch(() => '')
  return recorded.trim() || shortPath(socketPath)
}

/** Takes back what `claimSocketPath` made. */
export async function releaseSocketPath(socketPath: string): Promise<void> {
  if (fits(socketPath)) return
  await rm(join(shortPath(socketPath), '..'), { recursive: true, force: true })
  await rm(recordOf(socketPath), { force: true })
}

/** The temporary directory is everybody's: a folder that somebody else made there first must not be used. */
async function claimFolder(folder: string): Promise<void> {
  await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  const { uid, mode } = await lstat(folder)
  const isDirectory = (await lstat(folder)).isDirectory()
  if (isDirectory && uid === process.getuid?.() && (mode & 0o077) === 0) return
  throw new CotuneError(
    'API_SOCKET_FOLDER_UNSAFE',
    `${folder} is not a private folder of this user`,
    {
      hint: 'remove it, or use a shorter --home so that the socket can be there',
      data: { folder },
      exit: EXIT.config,
    },
  )
}

function fits(path: string): boolean {
  return Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES
}

function shortPath(socketPath: string): string {
  return join(tmpdir(), `cotune-${sha256Hex(socketPath).slice(0, 16)}`, 'control.sock')
}

function recordOf(socketPath: string): string {
  return `${socketPath}.path`
}
