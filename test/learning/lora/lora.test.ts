import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createRandom } from '#base'
import { tensor } from '#engine'
import {
  type AdapterWeights,
  checkAdapter,
  createAdapter,
  decodeAdapter,
  encodeAdapter,
  fromLeaves,
  type LoraSpec,
  loadAdapter,
  mergeAdapter,
  saveAdapter,
  targetsOf,
  toLeaves,
  withAdapters,
} from '#learning/lora'
import { frozenScope } from '#learning/models'
import { forward, largestDifference } from '../models/forward.ts'
import { randomModel } from '../models/random-model.ts'
import { FAMILIES, TINY } from '../models/tiny-models.ts'

const { model, weights } = randomModel(TINY.llama, 'lora')
const spec: LoraSpec = { rank: 3, alpha: 6, targets: ['q_proj', 'mlp.down_proj'] }

/** An adapter that has been somewhere: B is not zero. */
function noisyAdapter(of: typeof model, withSpec: LoraSpec, seed: string): AdapterWeights {
  const random = createRandom(seed)
  const fresh = createAdapter(of, withSpec, random)
  return new Map(
    [...fresh].map(([name, { shape, data }]) => [
      name,
      tensor(
        Float32Array.from(data, (x) => x + 0.3 * random.normal()),
        shape,
      ),
    ]),
  )
}

describe('a new adapter', () => {
  it("has PEFT's names and shapes", () => {
    const adapter = createAdapter(model, spec, createRandom(1))
    expect([...adapter].map(([name, { shape }]) => [name, shape])).toEqual([
      ['model.layers.0.self_attn.q_proj.lora_A.weight', [3, 16]],
      ['model.layers.0.self_attn.q_proj.lora_B.weight', [16, 3]],
      ['model.layers.0.mlp.down_proj.lora_A.weight', [3, 24]],
      ['model.layers.0.mlp.down_proj.lora_B.weight', [16, 3]],
      ['model.layers.1.self_attn.q_proj.lora_A.weight', [3, 16]],
      ['model.layers.1.self_attn.q_proj.lora_B.weight', [16, 3]],
      ['model.layers.1.mlp.down_proj.lora_A.weight', [3, 24]],
      ['model.layers.1.mlp.down_proj.lora_B.weight', [16, 3]],
    ])
  })

  it('changes nothing yet, but can learn', () => {
    const adapter = createAdapter(model, spec, createRandom(1))
    for (const [name, { data, shape }] of adapter) {
      if (name.includes('lora_B')) expect(data.every((x) => x === 0)).toBe(true)
      else {
        const largest = Math.max(...data.map(Math.abs))
        expect(largest).toBeLessThanOrEqual(1 / Math.sqrt(shape[1]!))
        expect(largest).toBeGreaterThan(0.5 / Math.sqrt(shape[1]!))
      }
    }
    expect(createAdapter(model, spec, createRandom(1))).toEqual(adapter)
  })

  it.each([
    [{ ...spec, targets: ['c_attn'] }, 'c_attn'],
    [{ ...spec, targets: ['proj'] }, 'proj'],
    [{ ...spec, rank: 0 }, 'rank 0'],
    [{ ...spec, alpha: Number.NaN }, 'alpha NaN'],
  ])('refuses %o', (wrong, message) => {
    expect(() => targetsOf(model, wrong)).toThrow(
      expect.objectContaining({
        code: 'LORA_SPEC_INVALID',
        message: expect.stringContaining(message) as string,
      }),
    )
  })
})

describe.each(FAMILIES)('on %s', (family) => {
  const base = randomModel(TINY[family], `lora ${family}`)
  const targets = [...new Set(base.model.linears.map(({ name }) => name.split('.').at(-1)!))]
  const shared = { name: 'shared', spec: { rank: 2, alpha: 4, targets } }
  const own = { name: 'own', spec: { rank: 3, alpha: 3, targets: targets.slice(0, 1) } }
  const tokens = [[3, 1, 4, 1, 5, 9, 2, 6]]

  it('stacked adapters compute what the merged weights do', async () => {
    const a = noisyAdapter(base.model, shared.spec, 'a')
    const b = noisyAdapter(base.model, own.spec, 'b')
    const scope = withAdapters(frozenScope(), base.model, [shared, own])
    const variables = new Map([...toLeaves('shared', a), ...toLeaves('own', b)])
    const [adapted] = await forward({ ...base, tokens, scope, variables })
    const once = mergeAdapter(base.model, base.weights, shared.spec, a)
    const merged = mergeAdapter(base.model, once, own.spec, b)
    const [expected] = await forward({ model: base.model, weights: merged, tokens })
    const [plain] = await forward({ ...base, tokens })
    for (const [i, row] of adapted!.entries())
      expect(largestDifference(row, expected![i]!)).toBeLessThan(2e-4)
    expect(largestDifference(adapted![7]!, plain![7]!)).toBeGreaterThan(1e-2)
  })

  it('unwritten adapters leave the model as it is', async () => {
    const scope = withAdapters(frozenScope(), base.model, [shared, own])
    const [adapted] = await forward({ ...base, tokens, scope })
    const [plain] = await forward({ ...base, tokens })
    for (const [i, row] of adapted!.entries())
      expect(largestDifference(row, plain![i]!)).toBeLessThan(1e-5)
  })
})

it('adapters under the names of their leaves, and back', () => {
  const a = createAdapter(model, spec, createRandom(1))
  const leaves = new Map([...toLeaves('shared', a), ...toLeaves('own', a)])
  expect(leaves.size).toBe(2 * a.size)
  expect(fromLeaves('own', leaves)).toEqual(a)
})

it('merging leaves the given weights alone', () => {
  const before = Float32Array.from(weights.get('model.layers.0.self_attn.q_proj.weight')!.data)
  const merged = mergeAdapter(model, weights, spec, noisyAdapter(model, spec, 'merge'))
  expect(weights.get('model.layers.0.self_attn.q_proj.weight')!.data).toEqual(before)
  expect(merged.get('model.layers.0.self_attn.k_proj.weight')).toBe(
    weights.get('model.layers.0.self_attn.k_proj.weight'),
  )
})

describe('an adapter from elsewhere', () => {
  const good = noisyAdapter(model, spec, 'check')
  const name = 'model.layers.0.self_attn.q_proj.lora_A.weight'

  it('is fine if it fits', () => {
    expect(() => checkAdapter(model, spec, good)).not.toThrow()
  })

  it.each([
    ['a tensor missing', new Map([...good].slice(1)), 'is missing'],
    ['a tensor too many', new Map(good).set('x', good.get(name)!), 'x is not part'],
    ['another rank', createAdapter(model, { ...spec, rank: 2 }, createRandom(1)), '[2,16]'],
    [
      'a number that is none',
      new Map(good).set(name, tensor(new Float32Array(48).fill(Number.NaN), [3, 16])),
      'not finite',
    ],
  ])('is refused with %s', (_, adapter, message) => {
    expect(() => checkAdapter(model, spec, adapter)).toThrow(
      expect.objectContaining({
        code: 'LORA_ADAPTER_MISMATCH',
        message: expect.stringContaining(message) as string,
      }),
    )
  })
})

describe('as bytes', () => {
  const adapter = noisyAdapter(model, spec, 'bytes')

  it('comes back as it was', () => {
    expect(new Map([...decodeAdapter(encodeAdapter(adapter))].sort())).toEqual(
      new Map([...adapter].sort()),
    )
  })

  it('takes half the space in half precision', () => {
    const half = encodeAdapter(adapter, 'float16')
    const difference = encodeAdapter(adapter).length - half.length
    const elements = [...adapter.values()].reduce((sum, { data }) => sum + data.length, 0)
    expect(Math.abs(difference - 2 * elements)).toBeLessThan(64)
  })

  it.each([
    [{ r: 0 }, 'r: '],
    [{ r: undefined }, 'r: it is missing'],
    [{ lora_alpha: 1e308 }, 'lora_alpha: '],
    [{ target_modules: 'all-linear' }, 'target_modules: '],
    [{ bias: 'all' }, 'bias: '],
    [{ use_dora: true }, 'use_dora: '],
    [{ rank_pattern: { q_proj: 2 } }, 'rank_pattern: '],
    [{ init_lora_weights: 'pissa_niter_16' }, 'init_lora_weights: '],
    [{ alora_invocation_tokens: [5] }, 'alora_invocation_tokens: '],
  ])('is refused with %o', async (options, message) => {
    const folder = await mkdtemp(join(tmpdir(), 'cotune-adapter-'))
    try {
      await saveAdapter(folder, { spec, weights: adapter })
      const path = join(folder, 'adapter_config.json')
      const config = JSON.parse(await readFile(path, 'utf8')) as object
      const plain = { init_lora_weights: true, modules_to_save: null, rank_pattern: null }
      await writeFile(path, JSON.stringify({ ...config, ...plain }))
      expect((await loadAdapter(folder)).spec).toEqual(spec)
      await writeFile(path, JSON.stringify({ ...config, ...options }))
      await expect(loadAdapter(folder)).rejects.toThrow(
        expect.objectContaining({
          code: 'LORA_CONFIG_INVALID',
          message: expect.stringContaining(message) as string,
        }),
      )
      await rm(path)
      await mkdir(path)
      await expect(loadAdapter(folder)).rejects.toThrow('it is no regular file')
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('is a folder as PEFT writes it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cotune-adapter-'))
    try {
      await saveAdapter(folder, { spec, weights: adapter })
      const loaded = await loadAdapter(folder)
      expect(loaded.spec).toEqual(spec)
      expect(() => checkAdapter(model, spec, loaded.weights)).not.toThrow()
      for (const [name, { data }] of adapter) expect(loaded.weights.get(name)!.data).toEqual(data)
      const stored = await readFile(join(folder, 'adapter_model.safetensors'), 'latin1')
      expect(stored).toContain('base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight')
      await writeFile(join(folder, 'adapter_config.json'), '{"peft_type":"IA3"}')
      await expect(loadAdapter(folder)).rejects.toThrow(
        expect.objectContaining({ code: 'LORA_CONFIG_INVALID' }),
      )
    } finally {
      await rm(folder, { recursive: true })
    }
    await expect(loadAdapter(folder)).rejects.toThrow(
      expect.objectContaining({ code: 'LORA_NOT_FOUND' }),
    )
  })
})
