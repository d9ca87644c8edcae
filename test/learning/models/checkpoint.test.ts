import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bytesOf, createRandom } from '#base'
import { type Tensor, tensor } from '#engine'
import {
  checkpointDigest,
  createModel,
  encodeSafetensors,
  type HfConfig,
  initialise,
  loadCheckpoint,
  openCheckpoint,
  saveCheckpoint,
} from '#learning/models'
import { forward, largestDifference } from './forward.ts'
import { randomModel } from './random-model.ts'
import { FAMILIES, TINY } from './tiny-models.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cotune-checkpoint-'))
})
afterAll(() => rm(folder, { recursive: true }))

describe.each(FAMILIES)('%s', (family) => {
  const { model, weights } = randomModel(TINY[family], `checkpoint ${family}`)

  it('saves and loads without a difference', async () => {
    const path = join(folder, family)
    await saveCheckpoint(path, { model, weights, files: { 'README.md': '# tiny' } })
    const loaded = await loadCheckpoint(path)
    expect(loaded.warnings).toEqual([])
    expect(loaded.model.config).toEqual(model.config)
    expect(loaded.weights).toEqual(weights)
    expect(await readFile(join(path, 'README.md'), 'utf8')).toBe('# tiny')
  })

  it.each(['float16', 'bfloat16'] as const)('saves as %s', async (dtype) => {
    const path = join(folder, `${family}-${dtype}`)
    await saveCheckpoint(path, { model, weights, dtype })
    const loaded = await loadCheckpoint(path)
    for (const [name, { data }] of weights)
      expect(largestDifference(loaded.weights.get(name)!.data, data)).toBeLessThan(0.02)
  })
})

it('replaces a folder whole, and leaves nothing beside it', async () => {
  const path = join(folder, 'replaced', 'model')
  const { model, weights } = randomModel(TINY.llama, 'a')
  await saveCheckpoint(path, { model, weights, files: { 'old.txt': '' } })
  const next = randomModel(TINY.llama, 'b')
  await saveCheckpoint(path, next)
  expect(await readdir(join(folder, 'replaced'))).toEqual(['model'])
  expect((await readdir(path)).sort()).toEqual(['config.json', 'model.safetensors'])
  expect((await loadCheckpoint(path)).weights).toEqual(next.weights)
  const lacking = new Map([...next.weights].slice(1))
  await expect(saveCheckpoint(path, { model, weights: lacking })).rejects.toThrow(
    expect.objectContaining({ code: 'MODEL_TENSOR_MISSING' }),
  )
  expect((await loadCheckpoint(path)).weights).toEqual(next.weights)
  expect(await readdir(join(folder, 'replaced'))).toEqual(['model'])
})

/** Tensors as they are under a configuration, in a folder of its own: what saveCheckpoint would not write. */
async function store(source: object, tensors: ReadonlyMap<string, Tensor>): Promise<string> {
  const path = await mkdtemp(join(folder, 'stored-'))
  await writeFile(join(path, 'config.json'), JSON.stringify(source))
  await writeFile(join(path, 'model.safetensors'), encodeSafetensors(tensors))
  return path
}

it("loads GPT-2 as the hub keeps it: no prefix, mask buffers, a head that is the embedding's copy", async () => {
  const { model, weights } = randomModel(TINY.gpt2, 'hub')
  const hub = new Map(
    [...weights].map(([name, value]) => [name.replace('transformer.', ''), value]),
  )
  hub.set('h.0.attn.bias', tensor(new Float32Array(16), [1, 1, 4, 4]))
  hub.set('lm_head.weight', weights.get('transformer.wte.weight')!)
  const loaded = await loadCheckpoint(await store(model.source, hub))
  expect(loaded.warnings).toEqual([])
  expect(loaded.weights).toEqual(weights)
})

it('takes a tied head for the embedding where the file has the head alone', async () => {
  const { model, weights } = randomModel(TINY.opt, 'head')
  const [embedding, head] = ['model.decoder.embed_tokens.weight', 'lm_head.weight']
  const stored = new Map(
    [...weights].map(([name, value]) => [name === embedding ? head : name, value]),
  )
  const loaded = await loadCheckpoint(await store(model.source, stored))
  expect(loaded.warnings).toEqual([])
  expect(loaded.weights).toEqual(weights)
})

it.each([
  ['other numbers', (values: Float32Array) => values.map((value) => value + 1)],
  ['another last number', (values: Float32Array) => values.with(-1, 7)],
])(
  'leaves a head with %s than the embedding untied, whatever config.json says',
  async (_, change) => {
    const untied = randomModel({ ...TINY.llama, tie_word_embeddings: false }, 'untied')
    const { data, shape } = untied.weights.get('model.embed_tokens.weight')!
    const weights = new Map(untied.weights)
    weights.set('lm_head.weight', tensor(change(data as Float32Array), shape))
    const path = await store({ ...untied.model.source, tie_word_embeddings: true }, weights)
    const loaded = await loadCheckpoint(path)
    expect(loaded.warnings).toEqual([
      { code: 'MODEL_HEAD_UNTIED', message: expect.stringContaining('lm_head.weight') },
    ])
    expect(loaded.model.config.tiedHead).toBe(false)
    expect(loaded.weights).toEqual(weights)

    const again = join(path, 'again')
    await saveCheckpoint(again, loaded)
    expect((await loadCheckpoint(again)).warnings).toEqual([])
  },
)

it('says what an untied head that is not there may mean', async () => {
  const { model, weights } = randomModel(TINY.llama, 'no head')
  const headless = new Map([...weights].filter(([name]) => name !== 'lm_head.weight'))
  const path = await store(model.source, headless)
  await expect(loadCheckpoint(path)).rejects.toMatchObject({
    code: 'MODEL_TENSOR_MISSING',
    hint: expect.stringContaining('tie_word_embeddings'),
  })
})

it('says the whole shape where one has a dimension too many', async () => {
  const { model, weights } = randomModel(TINY.llama, 'rank')
  const name = 'model.embed_tokens.weight'
  const { data, shape } = weights.get(name)!
  const path = await store(model.source, new Map(weights).set(name, tensor(data, [...shape, 1])))
  await expect(loadCheckpoint(path)).rejects.toMatchObject({
    code: 'MODEL_TENSOR_SHAPE',
    message: expect.stringContaining(`${JSON.stringify([...shape, 1])}, config.json implies`),
  })
})

it.each([
  ['an empty folder', {}, 'MODEL_CONFIG_NOT_FOUND'],
  ['weights left out', { 'config.json': JSON.stringify(TINY.llama) }, 'MODEL_WEIGHTS_NOT_FOUND'],
  ['a config that is a list', { 'config.json': '[]' }, 'MODEL_CONFIG_INVALID'],
  [
    'an index without a map',
    { 'config.json': JSON.stringify(TINY.llama), 'model.safetensors.index.json': '{}' },
    'MODEL_INDEX_INVALID',
  ],
  [
    'a shard that is not there',
    {
      'config.json': JSON.stringify(TINY.llama),
      'model.safetensors.index.json': '{"weight_map":{"a":"a.safetensors"}}',
    },
    'MODEL_WEIGHTS_NOT_FOUND',
  ],
  [
    'a configuration that names a key twice',
    { 'config.json': '{"a":1,"a":2}' },
    'MODEL_CONFIG_NOT_JSON',
  ],
  [
    'a configuration nested without end',
    { 'config.json': `{"a":${'['.repeat(1_000_000)}` },
    'MODEL_CONFIG_NOT_JSON',
  ],
  [
    'a configuration without end',
    { 'config.json': ' '.repeat(5_000_000) },
    'MODEL_CONFIG_NOT_FOUND',
  ],
  [
    'architectures that are no names',
    { 'config.json': '{"model_type":"x","architectures":[{"toString":1}]}' },
    'MODEL_TYPE_UNSUPPORTED',
  ],
])('refuses %s', async (_, files: Record<string, string>, code) => {
  const path = await mkdtemp(join(folder, 'bad-'))
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text)
  await expect(loadCheckpoint(path)).rejects.toThrow(expect.objectContaining({ code }))
})

it('reads no more of a tokenizer than the vocabulary of the weights makes likely', async () => {
  const { model, weights } = randomModel(TINY.llama, 'large tokenizer')
  const path = await mkdtemp(join(folder, 'large-'))
  await saveCheckpoint(path, {
    model,
    weights,
    files: { 'tokenizer.json': ' '.repeat(5_000_000) },
  })
  await expect(openCheckpoint(path)).rejects.toMatchObject({ code: 'TOKENIZER_NOT_FOUND' })
  const config = { ...model.source, vocab_size: 100_000 }
  await writeFile(join(path, 'config.json'), JSON.stringify(config))
  await expect(openCheckpoint(path)).rejects.toMatchObject({ code: 'MODEL_TENSOR_SHAPE' })
})

it('refuses a tensor that lies in another shard than the index says', async () => {
  const { model, weights } = randomModel(TINY.llama, 'shards')
  const names = [...weights.keys()]
  const shardOf = (i: number) => (i % 2 === 0 ? 'a.safetensors' : 'b.safetensors')
  const write = async (path: string, map: Readonly<Record<string, string>>) => {
    await mkdir(path)
    await writeFile(join(path, 'config.json'), JSON.stringify(model.source))
    for (const shard of ['a.safetensors', 'b.safetensors']) {
      const held = names.filter((_, i) => shardOf(i) === shard)
      const tensors = new Map(held.map((name) => [name, weights.get(name)!]))
      await writeFile(join(path, shard), encodeSafetensors(tensors))
    }
    const index = join(path, 'model.safetensors.index.json')
    await writeFile(index, JSON.stringify({ weight_map: map }))
  }
  const map = Object.fromEntries(names.map((name, i) => [name, shardOf(i)]))
  await write(join(folder, 'shards'), map)
  expect((await loadCheckpoint(join(folder, 'shards'))).weights).toEqual(weights)
  await write(join(folder, 'wrong-shard'), { ...map, [names[0]!]: 'b.safetensors' })
  await expect(loadCheckpoint(join(folder, 'wrong-shard'))).rejects.toMatchObject({
    code: 'MODEL_INDEX_INVALID',
    message: expect.stringContaining(`puts tensor ${names[0]} into b.safetensors`),
  })
})

it('opens a folder without reading it, and reads it in pieces', async () => {
  const { model, weights } = randomModel({ ...TINY.llama, vocab_size: 40_000 }, 'pieces')
  const path = join(folder, 'pieces')
  await saveCheckpoint(path, { model, weights })
  const { tensors } = await openCheckpoint(path)
  expect([...tensors.keys()]).toEqual([...model.parameters.keys()])
  const stored = tensors.get('model.embed_tokens.weight')!
  expect(stored.byteLength).toBeGreaterThan(2 ** 21)
  const pieces: Uint8Array[] = []
  for await (const piece of stored.readPieces()) pieces.push(piece.slice())
  expect(pieces.length).toBeGreaterThan(2)
  const bytes = Buffer.concat(pieces)
  expect(bytes.equals(bytesOf(weights.get(stored.name)!.data))).toBe(true)
  const file = await readFile(stored.path)
  const end = stored.byteOffset + stored.byteLength
  expect(bytes.equals(file.subarray(stored.byteOffset, end))).toBe(true)
  await truncate(stored.path, stored.byteOffset + 10)
  await expect(stored.read()).rejects.toMatchObject({ code: 'SAFETENSORS_TRUNCATED' })
})

it('digests tell models with other numbers or another configuration apart', async () => {
  const { model, weights } = randomModel(TINY.llama, 'digest')
  let saved = 0
  const digestOf = async (init: Parameters<typeof saveCheckpoint>[1]) => {
    const path = join(folder, `digest-${saved++}`)
    await saveCheckpoint(path, init)
    return checkpointDigest(await openCheckpoint(path))
  }
  const digest = await digestOf({ model, weights })
  expect(digest).toMatch(/^[0-9a-f]{64}$/)
  const name = 'model.norm.weight'
  const data = Float32Array.from(weights.get(name)!.data)
  data[0]! += 1e-6
  const changed = new Map(weights).set(name, tensor(data, [16]))
  expect(await digestOf({ model, weights: changed })).not.toBe(digest)
  const stretched = createModel({ ...TINY.llama, rope_theta: 500 })
  expect(await digestOf({ model: stretched, weights })).not.toBe(digest)
  const renamed = createModel({ ...TINY.llama, transformers_version: '5' })
  expect(await digestOf({ model: renamed, weights })).toBe(digest)
  const half = await digestOf({ model, weights, dtype: 'bfloat16' })
  expect(half).not.toBe(digest)
  const rounded = (await loadCheckpoint(join(folder, `digest-${saved - 1}`))).weights
  expect(await digestOf({ model, weights: rounded })).toBe(half)
})

describe('initialise', () => {
  const model = createModel({ ...TINY.gpt2, n_embd: 64, n_layer: 8 })
  const weights = initialise(model, createRandom('start'))

  it('starts as GPT-2 does', async () => {
    const deviation = (name: string) => {
      const { data } = weights.get(name)!
      return Math.sqrt([...data].reduce((sum, x) => sum + x * x, 0) / data.length)
    }
    expect([...weights.keys()]).toEqual([...model.parameters.keys()])
    expect(deviation('transformer.h.3.mlp.c_fc.weight')).toBeCloseTo(0.02, 3)
    expect(deviation('transformer.h.3.mlp.c_proj.weight')).toBeCloseTo(0.02 / 4, 3)
    expect(weights.get('transformer.h.0.ln_1.weight')!.data.every((x) => x === 1)).toBe(true)
    expect(weights.get('transformer.h.0.ln_1.bias')!.data.every((x) => x === 0)).toBe(true)
    const [rows] = await forward({ model, weights, tokens: [[1, 2, 3]] })
    for (const row of rows!) expect(Math.max(...row.map(Math.abs))).toBeLessThan(2)
  })

  it('starts normalisations at one, also where weights are differences from it', () => {
    const start = (config: HfConfig, name: string) =>
      initialise(createModel(config), createRandom('start')).get(name)!.data[0]
    expect(start(TINY.olmo2, 'model.layers.0.self_attn.q_norm.weight')).toBe(1)
    expect(start(TINY.bloom, 'transformer.word_embeddings_layernorm.weight')).toBe(1)
    expect(start(TINY.gemma2, 'model.norm.weight')).toBe(0)
  })

  it('is the same for the same seed', () => {
    expect(initialise(model, createRandom('start'))).toEqual(weights)
    expect(initialise(model, createRandom('other'))).not.toEqual(weights)
  })
})
