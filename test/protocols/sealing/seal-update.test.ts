import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { sha256Hex, utf8 } from '#base'
import { createIdentity } from '#protocols/mesh'
import {
  checkUpdate,
  createSealingKey,
  loadSealingKey,
  openUpdate,
  sealUpdate,
  type UpdatePolicy,
} from '#protocols/sealing'
import { openManifest, type PackedBlob, signManifest } from '#protocols/transfer'
import { someBytes } from '../support/packed.ts'

const device = createIdentity()
const cloudKey = createSealingKey()
const about = {
  runId: 'run-1',
  round: 3,
  baseDigest: 'cd'.repeat(32),
  expiresAt: 2_000_000,
  counter: 7,
}
const policy: UpdatePolicy = {
  runId: 'run-1',
  round: 3,
  baseDigest: 'cd'.repeat(32),
  keyIds: [cloudKey.keyId],
  maxBytes: 10_000_000,
  now: 1_000_000,
  senderId: device.peerId,
  lastCounter: 6,
}
const code = (expected: string) => expect.objectContaining({ code: expected })
const chunkAt = (blob: PackedBlob) => async (index: number) => blob.chunks[index]
const seal = (content: Uint8Array, changes: Partial<typeof about> = {}) =>
  sealUpdate(device, cloudKey, content, { ...about, ...changes })

describe('sealing', () => {
  it.each([0, 1, 262_127, 262_128, 262_129, 700_000])(
    'opens %d bytes as they were',
    async (size) => {
      const content = someBytes(size)
      const blob = await seal(content)
      const opened = await openUpdate([createSealingKey(), cloudKey], blob.manifest, chunkAt(blob))
      expect(Buffer.compare(opened.content, content)).toBe(0)
      expect(opened.manifest).toMatchObject({ ...about, kind: 'update', senderId: device.peerId })
      expect(blob.chunks.every((chunk) => chunk.length <= 256 * 1024)).toBe(true)
    },
  )

  it('shows none of the content, and never the same bytes twice', async () => {
    const content = utf8('the patient has a fever '.repeat(2_000))
    const [first, second] = [await seal(content), await seal(content)]
    const bytes = Buffer.concat([first.manifest, ...first.chunks])
    for (const word of ['patient', 'fever', 'the pa']) expect(bytes.includes(word)).toBe(false)
    expect(Buffer.compare(first.chunks[0]!, second.chunks[0]!)).not.toBe(0)
    expect(first.blobId).not.toBe(second.blobId)
  })

  it('opens with the right key only', async () => {
    const blob = await seal(someBytes(100))
    await expect(openUpdate([createSealingKey()], blob.manifest, chunkAt(blob))).rejects.toEqual(
      code('SEAL_WRONG_RECIPIENT'),
    )
    const impostor = { ...createSealingKey(), keyId: cloudKey.keyId }
    await expect(openUpdate([impostor], blob.manifest, chunkAt(blob))).rejects.toEqual(
      code('SEAL_TAMPERED'),
    )
  })

  it('notices a changed, swapped, missing and shortened chunk', async () => {
    const blob = await seal(someBytes(600_000))
    const open = (chunks: readonly (Uint8Array | undefined)[]) =>
      openUpdate([cloudKey], blob.manifest, async (index) => chunks[index])
    const [a, b, c] = blob.chunks
    const flipped = Uint8Array.from(a!)
    flipped[1000]! ^= 1
    await expect(open([flipped, b, c])).rejects.toEqual(code('SEAL_TAMPERED'))
    await expect(open([b, a, c])).rejects.toEqual(code('SEAL_TAMPERED'))
    await expect(open([a, undefined, c])).rejects.toEqual(code('SEAL_TRUNCATED'))
    await expect(open([a, b, c!.subarray(0, -1)])).rejects.toEqual(code('SEAL_TRUNCATED'))
  })

  it('notices an end cut off, even by a sender that signs a shorter manifest', async () => {
    const blob = await seal(someBytes(600_000))
    const { coreBytes, chunkHashes } = openManifest(blob.manifest)
    expect(() =>
      openManifest(signManifest(device, coreBytes, chunkHashes.slice(0, -1)).manifest),
    ).toThrowError(code('PROTOCOL_FIELD'))
  })

  it("binds the seal to its manifest: another's signature over the same chunks does not open", async () => {
    const thief = createIdentity()
    const blob = await seal(someBytes(100))
    const { coreBytes, chunkHashes } = openManifest(blob.manifest)
    const stolen = signManifest(thief, coreBytes, chunkHashes)
    await expect(openUpdate([cloudKey], stolen.manifest, chunkAt(blob))).rejects.toEqual(
      code('SEAL_TAMPERED'),
    )
  })

  it('refuses every changed byte of a manifest', async () => {
    const { manifest } = await seal(someBytes(100))
    for (let i = 0; i < manifest.length; i++) {
      const changed = Uint8Array.from(manifest)
      changed[i]! ^= 1 << (i % 8)
      expect(() => openManifest(changed)).toThrowError(
        code(expect.stringMatching(/^(PROTOCOL_|UPDATE_BAD_SIGNATURE)/) as unknown as string),
      )
    }
  })
})

describe('checkUpdate', () => {
  const check = async (changes: Partial<typeof about>, expected: Partial<UpdatePolicy> = {}) => {
    const { manifest } = await seal(someBytes(1_000), changes)
    checkUpdate(openManifest(manifest), { ...policy, ...expected })
  }

  it('lets the right update through', async () => {
    await check({})
    await check({}, { lastCounter: undefined })
  })

  it.each([
    ['UPDATE_BAD_SIGNATURE', {}, { senderId: createIdentity().peerId }],
    ['UPDATE_WRONG_RUN', { runId: 'run-2' }, {}],
    ['UPDATE_WRONG_ROUND', { round: 2 }, {}],
    ['UPDATE_WRONG_BASE', { baseDigest: '00'.repeat(32) }, {}],
    ['SEAL_WRONG_RECIPIENT', {}, { keyIds: ['another'] }],
    ['UPDATE_TOO_LARGE', {}, { maxBytes: 1_000 }],
    ['UPDATE_EXPIRED', { expiresAt: 1 }, { now: 700_000 }],
    ['UPDATE_REPLAYED', {}, { lastCounter: 7 }],
    ['UPDATE_REPLAYED', { counter: 3 }, {}],
  ] as const)('refuses with %s', async (expected, changes, policyChanges) => {
    await expect(check(changes, policyChanges)).rejects.toEqual(code(expected))
  })
})

describe('loadSealingKey', () => {
  it('makes a key for the owner alone, and finds it again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cotune-seal-'))
    const path = join(folder, 'sealing.key')
    const made = await loadSealingKey(path)
    expect(await loadSealingKey(path)).toEqual(made)
    expect(made.keyId).toBe(sha256Hex(made.publicKey).slice(0, 16))
    await rm(folder, { recursive: true })
  })
})
