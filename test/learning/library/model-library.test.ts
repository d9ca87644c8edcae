import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { packagePath } from '#base'
import {
  importModel,
  ModelLibrary,
  parseModelReference,
  resolveModelFolder,
} from '#learning/library'
import { loadCheckpoint, saveCheckpoint } from '#learning/models'
import { loadTunedModel } from '#learning/tuning'
import { randomModel } from '../models/random-model.ts'
import { TINY } from '../models/tiny-models.ts'

let root: string
let library: ModelLibrary

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'cotune-library-'))
  library = new ModelLibrary(join(root, 'library'))
})
afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

async function tinyFolder(name: string, seed = name): Promise<string> {
  const folder = join(root, name)
  await saveCheckpoint(folder, { ...randomModel(TINY.llama, seed), files: { 'notes.txt': 'mine' } })
  return folder
}

const code = (expected: string) => expect.objectContaining({ code: expected })

describe('names', () => {
  it.each([
    ['gpt2', { name: 'gpt2' }],
    ['HuggingFaceTB/SmolLM2-135M', { name: 'HuggingFaceTB/SmolLM2-135M' }],
    ['a/b@refs/pr/3', { name: 'a/b', revision: 'refs/pr/3' }],
  ])('reads %s', (text, expected) => {
    expect(parseModelReference(text)).toEqual(expected)
  })

  it.each([
    '',
    '..',
    '../x',
    'a/../b',
    '/etc/passwd',
    'a/b/c',
    'a//b',
    '.hidden/x',
    'a/.partial',
    'a\\b',
    'a--b/c',
    'a/b@',
    'a/b@../c',
    'a/b@/c',
    'a/b@x@..',
    'a/b c',
    'a\0b',
    `${'a'.repeat(97)}`,
  ])('refuses %j', (text) => {
    expect(() => parseModelReference(text)).toThrow(code('MODEL_NAME_INVALID'))
  })
})

it('imports a folder: only what is needed, checked, with a manifest; the same folder once', async () => {
  const folder = await tinyFolder('mine')
  const added = await importModel(library, folder, 'me/mine')
  expect((await readdir(added.folder)).sort()).toEqual([
    'config.json',
    'cotune-model.json',
    'model.safetensors',
  ])
  expect(added.manifest).toMatchObject({ name: 'me/mine', family: 'llama', source: folder })
  expect(added.warnings).toEqual([expect.stringContaining('tokenizer.json')])
  expect((await loadCheckpoint(added.folder)).weights).toEqual(
    (await loadCheckpoint(folder)).weights,
  )

  const again = await importModel(library, folder, 'me/mine')
  expect(again.folder).toBe(added.folder)
  expect(await library.list()).toHaveLength(1)
  expect(await library.partials()).toEqual([])
})

it('takes the shards that the index names, through links, and nothing else', async () => {
  const whole = await tinyFolder('whole')
  const folder = join(root, 'sharded')
  await mkdir(folder)
  await symlink(join(whole, 'config.json'), join(folder, 'config.json'))
  await symlink(join(whole, 'model.safetensors'), join(folder, 'model-00001-of-00001.safetensors'))
  await writeFile(join(folder, 'model-00002-of-00001.safetensors'), 'another')
  await writeFile(join(folder, 'pytorch_model.bin'), 'pickle')
  const index = { weight_map: { any: 'model-00001-of-00001.safetensors' } }
  await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify(index))
  const { manifest } = await importModel(library, folder)
  expect(manifest.files.map(({ name }) => name)).toEqual([
    'config.json',
    'model.safetensors.index.json',
    'model-00001-of-00001.safetensors',
  ])
})

it('keeps nothing of a folder that is no model', async () => {
  const folder = await tinyFolder('broken')
  await writeFile(join(folder, 'model.safetensors'), 'not weights')
  await expect(importModel(library, folder)).rejects.toThrow(code('SAFETENSORS_HEADER_LENGTH'))
  await rm(join(folder, 'model.safetensors'))
  await writeFile(join(folder, 'pytorch_model.bin'), 'pickle')
  await expect(importModel(library, folder)).rejects.toThrow(
    expect.objectContaining({
      code: 'MODEL_FILES_MISSING',
      hint: expect.stringContaining('pickles'),
    }),
  )
  await expect(importModel(library, join(root, 'none'))).rejects.toThrow(
    code('MODEL_FOLDER_UNREADABLE'),
  )
  expect(await library.list()).toEqual([])
  expect(await library.partials()).toEqual([])
})

it('leaves out links that lead nowhere, and refuses a folder of them', async () => {
  const folder = await tinyFolder('linked')
  await symlink(join(root, 'gone'), join(folder, 'tokenizer_config.json'))
  await symlink(join(folder, 'generation_config.json'), join(folder, 'generation_config.json'))
  const { manifest } = await importModel(library, folder)
  expect(manifest.files.map(({ name }) => name)).toEqual(['config.json', 'model.safetensors'])
  for (const name of ['model.safetensors', 'config.json']) {
    await rm(join(folder, name))
    await symlink(join(root, 'gone'), join(folder, name))
    await expect(importModel(library, folder)).rejects.toMatchObject({
      code: name === 'config.json' ? 'MODEL_CONFIG_NOT_FOUND' : 'MODEL_WEIGHTS_NOT_FOUND',
      message: expect.stringContaining('it is a link that leads nowhere'),
    })
  }
})

it('takes shards by any name', async () => {
  const folder = await tinyFolder('sharded')
  const shard = 'weights (1 of 1) größer.safetensors'
  await rename(join(folder, 'model.safetensors'), join(folder, shard))
  const index = { weight_map: { any: shard } }
  await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify(index))
  const { manifest } = await importModel(library, folder)
  expect(manifest.files.map(({ name }) => name)).toContain(shard)
  index.weight_map.any = 'config.json'
  await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify(index))
  await expect(importModel(library, folder)).rejects.toThrow(code('MODEL_INDEX_INVALID'))
})

it('says before it writes that the disk is full', async () => {
  const full = new ModelLibrary(library.folder, { freeBytes: async () => 70_000_000 })
  await expect(full.requireSpace(1_000)).resolves.toBeUndefined()
  await expect(full.requireSpace(10_000_000)).rejects.toThrow(
    expect.objectContaining({
      code: 'DISK_FULL',
      message: expect.stringContaining('70.0 MB free; 10.0 MB are needed, and 67.1 MB to spare'),
    }),
  )
})

it("is filled by one process at a time; one that died is in nobody's way", async () => {
  const commit = 'c'.repeat(40)
  await library.stage('me/mine', commit, async (staged) => {
    await expect(library.stage('me/mine', commit, async () => 'twice')).rejects.toThrow(
      code('MODEL_PULL_UNDER_WAY'),
    )
    await writeFile(join(staged, '.lock'), '999999999')
    expect(await library.stage('me/mine', commit, async () => 'once')).toBe('once')
  })
  const inTheWay = join(root, 'file')
  await writeFile(inTheWay, '')
  await expect(
    new ModelLibrary(join(inTheWay, 'library')).stage('me/mine', commit, async () => 'nowhere'),
  ).rejects.toThrow(code('MODEL_LIBRARY_UNUSABLE'))
})

it('finds the newest of a name, or a revision by label, commit or its first digits', async () => {
  const first = await importModel(library, await tinyFolder('one'), 'me/mine')
  const second = await importModel(library, await tinyFolder('two'), 'me/mine')
  await library.touch(first, ['v1'])
  const { revision } = second.manifest
  const folderOf = async (text: string) => (await library.get(text)).folder
  expect(await folderOf('me/mine')).toBe(first.folder)
  expect(await folderOf(`me/mine@${revision.slice(0, 7)}`)).toBe(second.folder)
  expect(await folderOf('me/mine@v1')).toBe(first.folder)
  for (const text of ['me/mine@v2', `me/mine@${revision.slice(0, 6)}`, 'me/other'])
    await expect(folderOf(text)).rejects.toThrow(code('MODEL_NOT_IN_LIBRARY'))
})

it('removes all revisions, or one, or what is not whole', async () => {
  const { manifest } = await importModel(library, await tinyFolder('one'), 'me/mine')
  await importModel(library, await tinyFolder('two'), 'me/mine')
  await library.stage('me/mine', 'c'.repeat(40), (staged) =>
    writeFile(join(staged, 'x.part'), 'part'),
  )
  const removed = await library.remove(`me/mine@${manifest.revision}`)
  expect(removed).toMatchObject([{ name: 'me/mine', revision: manifest.revision }])
  expect(removed[0]?.freedBytes).toBeGreaterThan(1_000)
  expect(await library.list()).toHaveLength(1)
  expect(await library.remove('me/mine')).toHaveLength(2)
  expect(await library.partials()).toEqual([])
  await expect(library.remove('me/mine')).rejects.toThrow(code('MODEL_NOT_IN_LIBRARY'))
})

it('resolves a folder that exists before a name, and says how to get what is missing', async () => {
  const folder = await tinyFolder('one')
  const added = await importModel(library, folder, 'me/mine')
  expect(await resolveModelFolder(folder, library)).toBe(folder)
  expect(await resolveModelFolder('me/mine', library)).toBe(added.folder)
  expect(await resolveModelFolder('./no/such/folder', library)).toMatch(/no\/such\/folder$/)
  await expect(resolveModelFolder('you/yours', library)).rejects.toThrow(
    expect.objectContaining({
      code: 'MODEL_NOT_IN_LIBRARY',
      hint: expect.stringContaining('cotune model pull you/yours'),
    }),
  )
  await expect(resolveModelFolder('me/mina', library)).rejects.toThrow(
    expect.objectContaining({ hint: expect.stringContaining('did you mean me/mine?') }),
  )
})

it('gives peers and commands their models by name', async () => {
  vi.stubEnv('COTUNE_MODELS', library.folder)
  await importModel(library, packagePath('zoo', 'slm-gpt2'), 'me/small')
  const { digest } = await loadTunedModel('slm', 'me/small')
  expect(digest).toBe((await loadTunedModel('slm', packagePath('zoo', 'slm-gpt2'))).digest)
  vi.unstubAllEnvs()
})

it('takes what is damaged for no model', async () => {
  const { folder } = await importModel(library, await tinyFolder('one'), 'me/mine')
  const manifest = join(folder, 'cotune-model.json')
  await writeFile(manifest, (await readFile(manifest, 'utf8')).slice(0, -20))
  expect(await library.list()).toEqual([])
})
