import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CotuneError, EXIT } from '#base'

const LOCK_FILE = '.lock'

/**
 * Takes a staging folder for this process; a lock of a process that is gone does not count.
 *
 * @throws CotuneError MODEL_PULL_UNDER_WAY
 */
export async function lockStaging(folder: string): Promise<void> {
  const path = join(folder, LOCK_FILE)
  const take = () => writeFile(path, String(process.pid), { flag: 'wx' })
  try {
    await take()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const owner = Number(await readFile(path, 'utf8').catch(() => ''))
    if (isAlive(owner)) throw underWay(folder, owner)
    await rm(path, { force: true })
    await take()
  }
}

export async function unlockStaging(folder: string): Promise<void> {
  await rm(join(folder, LOCK_FILE), { force: true })
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function underWay(folder: string, pid: number): CotuneError {
  return new CotuneError('MODEL_PULL_UNDER_WAY', `process ${pid} is at work on the same model`, {
    hint: 'wait for it, or end it; cotune model remove takes away what it left',
    data: { folder, pid },
    exit: EXIT.refused,
  })
}
