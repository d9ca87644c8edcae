import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readRegularFile } from '#base'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cotune-files-'))
  await writeFile(join(folder, 'file'), 'text')
  await mkdir(join(folder, 'folder'))
  await symlink(join(folder, 'file'), join(folder, 'link'))
  await symlink(join(folder, 'circle'), join(folder, 'circle'))
  await symlink('/dev/zero', join(folder, 'device'))
  await symlink(join(folder, 'gone'), join(folder, 'dangling'))
  execFileSync('sh', ['-c', 'mkfifo "$0"', join(folder, 'pipe')])
})
afterAll(() => rm(folder, { recursive: true }))

it.each(['file', 'link'])('reads a %s', async (name) => {
  expect(String(await readRegularFile(join(folder, name), 4))).toBe('text')
})

it.each([
  ['folder', 'it is no regular file'],
  ['pipe', 'it is no regular file'],
  ['device', 'it is no regular file'],
  ['circle', 'its links form a circle'],
  ['dangling', 'it is a link that leads nowhere'],
  ['nothing', 'it does not exist'],
  ['file/below', 'it does not exist'],
  ['a\0b', 'the system says'],
  ['x'.repeat(5_000), 'its name is too long'],
])('refuses a %.10s', async (name, reason) => {
  await expect(readRegularFile(join(folder, name), 4)).rejects.toMatchObject({
    code: 'FILE_UNREADABLE',
    message: expect.stringContaining(reason),
  })
})

it('refuses a file that is too large', async () => {
  await expect(readRegularFile(join(folder, 'file'), 3)).rejects.toThrow('at most 3')
})
