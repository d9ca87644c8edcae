import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { lstat, mkdir, rename, rm } from 'node:fs/promises'
import { connect, type Server } from 'node:net'
import { dirname } from 'node:path'
import { CotuneError, EXIT } from '#base'

/**
 * Listens on a unix socket of mode 0660. A socket file left by a killed process is removed, but only after it
 * refused a connection.
 * @throws CotuneError API_ALREADY_RUNNING, API_SOCKET_IN_THE_WAY
 */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  try {
    await bind(server, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    await removeStale(path)
    await bind(server, path).catch((cause: unknown) => {
      throw alreadyRunning(path, cause)
    })
  }
}

async function bind(server: Server, path: string): Promise<void> {
  const umask = process.umask(0o117)
  try {
    server.listen(path)
  } finally {
    process.umask(umask)
  }
  await once(server, 'listening')
}

/**
 * Moves the file aside before it is tried a second time: of two processes that find the same stale socket, the slower
 * one would else delete the socket of the faster.
 */
async function removeStale(path: string): Promise<void> {
  if (!(await lstat(path)).isSocket()) throw notASocket(path)
  if (await answers(path)) throw alreadyRunning(path)
  const aside = `${path}.${randomBytes(3).toString('hex')}`
  try {
    await rename(path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  if (await answers(aside)) {
    await rename(aside, path)
    throw alreadyRunning(path)
  }
  await rm(aside, { force: true })
}

async function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false)
      else reject(error)
    })
  })
}

function alreadyRunning(path: string, cause?: unknown): CotuneError {
  return new CotuneError('API_ALREADY_RUNNING', `another process already answers on ${path}`, {
    hint: 'stop it first (cotune status shows it), or give this one another --home',
    data: { path },
    exit: EXIT.refused,
    cause,
  })
}

function notASocket(path: string): CotuneError {
  return new CotuneError('API_SOCKET_IN_THE_WAY', `${path} is a file, and not a socket`, {
    hint: 'move it away, or use another --home',
    data: { path },
    exit: EXIT.config,
  })
}
