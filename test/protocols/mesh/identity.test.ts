import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { utf8 } from '#base'
import { createIdentity, loadIdentity } from '#protocols/mesh'
import { verifySignature } from '#protocols/messages'

describe('loadIdentity', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cotune-identity-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('makes a key for the owner alone, and finds it again', async () => {
    const path = join(folder, 'a', 'identity.key')
    const made = await loadIdentity(path)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const again = await loadIdentity(path)
    expect(again.peerId).toBe(made.peerId)
    expect(again.sign(utf8('x'))).toEqual(made.sign(utf8('x')))
  })

  it('refuses a key that others may read', async () => {
    const path = join(folder, 'open.key')
    await loadIdentity(path)
    await chmod(path, 0o640)
    await expect(loadIdentity(path)).rejects.toMatchObject({ code: 'IDENTITY_EXPOSED' })
  })

  it('refuses a file that is no key', async () => {
    const path = join(folder, 'bad.key')
    await writeFile(path, 'not a key', { mode: 0o600 })
    await expect(loadIdentity(path)).rejects.toMatchObject({ code: 'IDENTITY_UNREADABLE' })
  })

  it('signs so that the peer id alone verifies', () => {
    const identity = createIdentity()
    const signature = identity.sign(utf8('text'))
    expect(signature).toHaveLength(64)
    expect(verifySignature(identity.peerId, utf8('text'), signature)).toBe(true)
    expect(verifySignature(createIdentity().peerId, utf8('text'), signature)).toBe(false)
    expect(verifySignature('nonsense', utf8('text'), signature)).toBe(false)
  })
})
