import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createDigestFiles, sha256Hex, utf8 } from '#base'
import { temporaryFolder } from './temporary-folder.ts'

describe('createDigestFiles', () => {
  it('keeps content under its digest and notices damage', async () => {
    const files = createDigestFiles(join(temporaryFolder(), 'blobs'))
    const digest = await files.write(utf8('adapter'))
    expect(digest).toBe(sha256Hex('adapter'))
    expect(await files.write(utf8('adapter'))).toBe(digest)
    expect(await files.read(digest)).toEqual(utf8('adapter'))
    writeFileSync(files.path(digest), 'adaptor')
    await expect(files.read(digest)).rejects.toMatchObject({ code: 'BLOB_CORRUPT' })
  })

  it('refuses a name that is no digest and one that is not there', async () => {
    const files = createDigestFiles(temporaryFolder())
    await expect(files.read('../../etc/passwd')).rejects.toMatchObject({ code: 'BLOB_MISSING' })
    await expect(files.read(sha256Hex('x'))).rejects.toMatchObject({ code: 'BLOB_MISSING' })
  })

  it('sweeps what nobody refers to', async () => {
    const folder = temporaryFolder()
    const files = createDigestFiles(folder)
    const kept = await files.write(utf8('a'))
    await files.write(utf8('b'))
    writeFileSync(join(folder, `${kept}.12.tmp`), 'half')
    expect(await files.sweep(new Set([kept]))).toBe(2)
    expect(readdirSync(folder)).toEqual([kept])
  })
})
