import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { packagePath } from '#base'
import { FileBlobStore } from '#protocols/transfer'

const SCRIPT = packagePath('test', 'protocols', 'support', 'put-chunks.ts')

/**
 * Puts chunks in another process and kills it after the chunk `stopAfter`. Returns what it said it
 * had put.
 */
async function putAndKill(dir: string, stopAfter: number): Promise<readonly string[]> {
  const child = spawn(
    process.execPath,
    ['--conditions=cotune-source', '--import', 'tsx', SCRIPT, dir],
    { cwd: packagePath(), stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let said = ''
  child.stdout.on('data', (bytes: Buffer) => {
    said += bytes.toString()
    if (said.split('\n').length > stopAfter + 2) child.kill('SIGKILL')
  })
  await new Promise((resolve) => child.once('close', resolve))
  return said.trim().split('\n')
}

it('a file store holds what it said it had put, after a kill', { timeout: 90_000 }, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'cotune-kill-'))
  for (const stopAfter of [1, 9]) {
    const [blobId = '', ...done] = await putAndKill(dir, stopAfter)
    const store = new FileBlobStore(dir)
    const missing = (await store.missing(blobId)) ?? []
    expect(missing.length).toBeGreaterThan(0)
    for (const index of done.map(Number)) {
      expect(missing).not.toContain(index)
      expect(await store.chunk(blobId, index)).toBeDefined()
    }
    // What was under way when the kill came is there whole, or missing: never damaged.
    expect(40 - missing.length - done.length).toBeLessThanOrEqual(1)
  }
  await rm(dir, { recursive: true })
})
