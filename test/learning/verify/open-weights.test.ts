import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import { createExecutor, type Executor, tensor, type WeightValue } from '#engine'
import { loadCheckpoint, type StoredDtype, saveCheckpoint } from '#learning/models'
import { verifyCheckpoint } from '#learning/verify'
import { forward, greedyUncached } from '../models/forward.ts'
import { randomModel } from '../models/random-model.ts'
import { TINY } from '../models/tiny-models.ts'

const inner = createExecutor('onnxruntime', { threads: 1 })
const NORM = 'model.norm.weight'
const PROMPT = [3, 1, 4, 1, 5, 9]
const { model, weights } = randomModel(TINY.llama, 'verify')

let parent: string
beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), 'cotune-verify-'))
})
afterAll(() => rmSync(parent, { recursive: true }))
afterEach(() => {
  vi.unstubAllEnvs()
})

async function save(name: string, values: typeof weights, dtype: StoredDtype = 'float32') {
  const folder = join(parent, name)
  await saveCheckpoint(folder, { model, weights: values, dtype })
  return folder
}

/** What a record of the folder's own weights, held in memory, says of it, and how its weights were given. */
async function verify(folder: string) {
  const loaded = await loadCheckpoint(folder)
  const [rows] = await forward({ ...loaded, tokens: [PROMPT] })
  const greedy = await greedyUncached(model, loaded.weights, PROMPT, { maxNew: 5, eosId: -1 })
  const record = {
    input_ids: [PROMPT],
    positions: [PROMPT.map((_, i) => i)],
    logits: [rows!.map((row) => [...row])],
    greedy,
  }
  const golden = join(folder, 'golden.json')
  writeFileSync(golden, JSON.stringify(record))
  const given = new Set<WeightValue['dtype']>()
  const executor: Executor = {
    name: inner.name,
    compile: (program, init) => {
      for (const { dtype } of init?.weights?.values() ?? []) given.add(dtype)
      return inner.compile(program, init)
    },
  }
  return { ...(await verifyCheckpoint({ folder, golden, executor })), given: [...given] }
}

it.each([
  ['float32', 'mapped'],
  ['bfloat16', 'float32'],
] as const)('takes %s weights as %s, to the bit, and prepares nothing', async (dtype, given) => {
  const cache = join(parent, `cache-${dtype}`)
  vi.stubEnv('COTUNE_CACHE', cache)
  const folder = await save(dtype, weights, dtype)
  expect(await verify(folder)).toMatchObject({
    maxRelativeError: 0,
    greedyEqual: true,
    given: [given],
  })
  expect(() => readdirSync(cache)).toThrow('ENOENT')
})

it('refuses mapped weights that are not finite', async () => {
  const norm = weights.get(NORM)!
  const broken = tensor(Float32Array.from(norm.data).fill(Number.NaN, 0, 1), norm.shape)
  const folder = await save('broken', new Map([...weights, [NORM, broken]]))
  const golden = join(folder, 'golden.json')
  await expect(verifyCheckpoint({ folder, golden, executor: inner })).rejects.toMatchObject({
    code: 'MODEL_TENSOR_NOT_FINITE',
    data: { tensor: NORM },
  })
})
