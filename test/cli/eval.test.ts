import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createRandom, EXIT, packagePath } from '#base'
import { tensor } from '#engine'
import { type AdapterWeights, createAdapter, saveAdapter } from '#learning/lora'
import { createModel, readCheckpointConfig } from '#learning/models'
import { runCommand } from './run-command.ts'

const MODEL = packagePath('zoo', 'slm-llama')
const SPEC = { rank: 2, alpha: 4, targets: ['q_proj'] }

let folder: string
let weights: AdapterWeights
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cotune-eval-'))
  await writeFile(join(folder, 'rows.jsonl'), '{"instruction":"a","output":"b"}\n')
  const model = createModel(await readCheckpointConfig(MODEL))
  weights = createAdapter(model, SPEC, createRandom('eval'))
})
afterAll(() => rm(folder, { recursive: true }))

async function evaluate(name: string, spec: typeof SPEC, adapter: AdapterWeights) {
  const path = join(folder, name)
  await saveAdapter(path, { spec, weights: adapter })
  const rows = join(folder, 'rows.jsonl')
  return runCommand('eval', '--model', MODEL, '--adapter', path, '--data', rows, '--json')
}

it('scores a model with an adapter', async () => {
  const { exitCode, stdout } = await evaluate('good', SPEC, weights)
  expect(exitCode).toBe(EXIT.ok)
  expect(JSON.parse(stdout)).toMatchObject({ examples: 1, perplexityPerByte: expect.any(Number) })
})

it.each([
  ['another rank', { ...SPEC, rank: 3 }, (all: AdapterWeights) => all],
  ['fewer targets', { ...SPEC, targets: ['v_proj'] }, (all: AdapterWeights) => all],
  ['no tensors', SPEC, () => new Map()],
  [
    'what is no number',
    SPEC,
    (all: AdapterWeights) => {
      const [name, { data, shape }] = [...all][0]!
      const values = Float32Array.from(data).fill(Number.NaN, 0, 1)
      return new Map(all).set(name, tensor(values, shape))
    },
  ],
])('refuses an adapter with %s', async (name, spec, change) => {
  const { exitCode, stdout } = await evaluate(name, spec, change(weights))
  expect(exitCode).toBe(EXIT.data)
  expect(JSON.parse(stdout).error.code).toBe('LORA_ADAPTER_MISMATCH')
})
