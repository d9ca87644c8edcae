import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { inMemory, quantise, type Tensor } from '#engine'
import { type HfConfig, openFrozenBase, saveCheckpoint } from '#learning/models'
import { randomModel } from './random-model.ts'

/** Sizes that blocks of 64 and of 32 divide, and a vocabulary that only blocks of 16 divide. */
const CONFIG: HfConfig = {
  model_type: 'llama',
  vocab_size: 48,
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  tie_word_embeddings: false,
}
const GPT2: HfConfig = {
  model_type: 'gpt2',
  vocab_size: 50,
  n_embd: 64,
  n_layer: 1,
  n_head: 2,
  n_positions: 8,
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cotune-base-'))
})
afterAll(() => rm(folder, { recursive: true }))

let made = 0
/** A saved random model, a cache beside it. */
async function saved(config: HfConfig, dtype: 'float32' | 'float16' | 'bfloat16' = 'float32') {
  const model = randomModel(config, 'base')
  const path = join(folder, `model-${made++}`)
  await saveCheckpoint(path, { ...model, dtype })
  return { ...model, path, cache: `${path}-cache` }
}

function distance(a: Tensor, b: Tensor): number {
  let apart = 0
  for (const [i, x] of a.data.entries()) apart = Math.max(apart, Math.abs(x - b.data[i]!))
  return apart
}

describe('openFrozenBase', () => {
  it('maps float32 tensors where they lie and writes nothing', async () => {
    const { path, cache, weights } = await saved(CONFIG)
    const base = await openFrozenBase(path, { cache })
    expect(base.weights.size).toBe(weights.size)
    for (const [name, value] of base.weights) {
      expect(value.dtype).toBe('mapped')
      expect(distance(inMemory(value), weights.get(name)!)).toBe(0)
    }
    await expect(readdir(cache)).rejects.toThrow('ENOENT')
  })

  it.each(['float16', 'bfloat16'] as const)('writes %s as float32 once', async (dtype) => {
    const { path, cache, weights } = await saved(CONFIG, dtype)
    const seen: number[] = []
    const first = await openFrozenBase(path, { cache, onProgress: (done) => seen.push(done) })
    expect(seen.at(-1)).toBe(weights.size)
    await openFrozenBase(path, { cache, onProgress: () => expect.unreachable('prepared anew') })
    for (const [name, value] of first.weights)
      expect(distance(inMemory(value), weights.get(name)!)).toBeLessThan(0.01)
  })

  it.each([
    ['int8', 0.02],
    ['int4', 0.3],
  ] as const)('cuts large matrices into blocks: %s', async (precision, tolerance) => {
    const { path, cache, weights, model } = await saved(CONFIG)
    const base = await openFrozenBase(path, { cache, precision })
    const query = base.weights.get('model.layers.0.self_attn.q_proj.weight')!
    expect(query).toMatchObject({
      dtype: 'blocks',
      format: { bits: precision === 'int8' ? 8 : 4, blockSize: 64 },
    })
    expect('alongColumns' in query).toBe(precision === 'int8')
    expect(base.weights.get('model.layers.0.mlp.down_proj.weight')).toMatchObject({
      format: { blockSize: 32 },
    })
    expect(base.weights.get('lm_head.weight')).toMatchObject({ format: { bits: 8, blockSize: 16 } })
    expect(base.weights.get('model.norm.weight')).toMatchObject({ dtype: 'mapped' })
    for (const name of model.parameters.keys())
      expect(distance(inMemory(base.weights.get(name)!), weights.get(name)!)).toBeLessThan(
        tolerance,
      )
  })

  it('holds both directions to the same matrix', async () => {
    const { path, cache, weights } = await saved(CONFIG)
    const base = await openFrozenBase(path, { cache, precision: 'int8' })
    const up = base.weights.get('model.layers.1.mlp.up_proj.weight')!
    if (up.dtype !== 'blocks') return expect.unreachable('not in blocks')
    const { alongRows: _, ...columns } = up
    expect(
      distance(inMemory(columns), weights.get('model.layers.1.mlp.up_proj.weight')!),
    ).toBeLessThan(0.02)
  })

  it.each([
    ['int8', 4_096 + 48],
    ['int4', 4_096 + 48],
    ['int8', 48],
  ] as const)('stores a head in chunks: %s, %i words', async (precision, words) => {
    const { path, cache, weights } = await saved({ ...CONFIG, vocab_size: words })
    for (const _ of ['prepared', 'read']) {
      const base = await openFrozenBase(path, { cache, precision })
      const head = base.weights.get('lm_head.weight')!
      if (head.dtype !== 'blocks') return expect.unreachable('not in blocks')
      expect(head.format).toEqual({ bits: 8, blockSize: 16, chunkRows: 4_096 })
      const { alongRows, alongColumns, ...rest } = head
      const floats = weights.get('lm_head.weight')!
      const whole = { bits: 8, blockSize: 16 } as const
      const alone = (direction: object) => inMemory({ ...rest, ...direction })
      expect(alone({ alongRows }).data).toEqual(inMemory(quantise(floats, whole)).data)
      expect(alone({ alongColumns }).data).toEqual(
        inMemory(quantise(floats, whole, { alongColumns: true })).data,
      )
    }
  })

  it('stores four bits along the axis that the forward pass contracts', async () => {
    const { path, cache } = await saved(GPT2)
    const base = await openFrozenBase(path, { cache, precision: 'int4' })
    const joint = base.weights.get('transformer.h.0.attn.c_attn.weight')!
    expect('alongColumns' in joint && !('alongRows' in joint)).toBe(true)
    // 50 rows: no block divides them, so the head has one direction.
    expect('alongColumns' in base.weights.get('transformer.wte.weight')!).toBe(false)
  })

  it('cuts an embedding into blocks that is narrower than the layers', async () => {
    const { path, cache } = await saved({
      model_type: 'opt',
      vocab_size: 48,
      hidden_size: 64,
      ffn_dim: 96,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      max_position_embeddings: 8,
      word_embed_proj_dim: 32,
    })
    const base = await openFrozenBase(path, { cache, precision: 'int8' })
    const [embedding, positions] = ['embed_tokens', 'embed_positions'].map((name) =>
      base.weights.get(`model.decoder.${name}.weight`),
    )
    expect(embedding).toMatchObject({ dtype: 'blocks', format: { blockSize: 16 } })
    expect(positions).toMatchObject({ dtype: 'mapped' })
  })

  it('prepares anew what has changed, and what was left half-written', async () => {
    const { path, cache, model, weights } = await saved(CONFIG)
    await openFrozenBase(path, { cache, precision: 'int8' })
    const [key] = await readdir(cache)
    await rm(join(cache, key!, 'base.json'))
    let prepared = 0
    const onProgress = () => prepared++
    await openFrozenBase(path, { cache, precision: 'int8', onProgress })
    expect(prepared).toBeGreaterThan(0)
    await writeFile(join(cache, key!, 'base.json'), '{"a":')
    prepared = 0
    await openFrozenBase(path, { cache, precision: 'int8', onProgress })
    expect(prepared).toBeGreaterThan(0)
    await saveCheckpoint(`${path}-b`, { model, weights })
    await utimes(join(path, 'model.safetensors'), 1, 1)
    prepared = 0
    await openFrozenBase(path, { cache, precision: 'int8', onProgress })
    expect(prepared).toBeGreaterThan(0)
  })

  it('leaves nothing when it is stopped', async () => {
    const { path, cache } = await saved(CONFIG)
    const stop = new AbortController()
    const opening = openFrozenBase(path, {
      cache,
      precision: 'int4',
      signal: stop.signal,
      onProgress: () => stop.abort(),
    })
    await expect(opening).rejects.toThrow()
    const [key] = await readdir(cache)
    expect(await readdir(join(cache, key!))).toEqual([])
  })
})
