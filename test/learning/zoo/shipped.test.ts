import { readFileSync, statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { packagePath } from '#base'
import { createExecutor, sizeOf } from '#engine'
import { readExamples } from '#learning/data'
import { loadCheckpoint } from '#learning/models'
import { evaluateModel, loadTunedModel } from '#learning/tuning'

const SIZES = {
  llm: { family: 'llama', from: 6e6, to: 12e6 },
  dpm: { family: 'llama', from: 1e6, to: 2e6 },
  'slm-gpt2': { family: 'gpt2', from: 1e6, to: 3e6 },
  'slm-llama': { family: 'llama', from: 1e6, to: 3e6 },
  'slm-qwen2': { family: 'qwen2', from: 1e6, to: 3e6 },
} as const

describe.each(Object.entries(SIZES))('zoo/%s', (name, { family, from, to }) => {
  const folder = packagePath('zoo', name)

  it('loads without a warning, with its tokenizer and its card', async () => {
    const { model, tokenizer, warnings } = await loadCheckpoint(folder)
    const parameters = [...model.parameters.values()].reduce((sum, shape) => sum + sizeOf(shape), 0)
    expect(model.family).toBe(family)
    expect(parameters).toBeGreaterThanOrEqual(from)
    expect(parameters).toBeLessThanOrEqual(to)
    expect(warnings).toEqual([])
    const text = 'Ünïted 42 — ok\n'
    expect(tokenizer?.decode(tokenizer.encode(text).ids)).toBe(text)
    expect(readFileSync(join(folder, 'README.md'), 'utf8')).toContain('## Scores')
  })
})

it('has one tokenizer for the cloud models and three others', async () => {
  const digest = async (name: string) =>
    (await loadCheckpoint(packagePath('zoo', name))).tokenizer?.digest
  const digests = await Promise.all(Object.keys(SIZES).map(digest))
  expect(digests[0]).toBe(digests[1])
  expect(new Set(digests).size).toBe(4)
})

it('takes at most 40 MB', async () => {
  const files = await readdir(packagePath('zoo'), { recursive: true, withFileTypes: true })
  const bytes = files
    .filter((file) => file.isFile())
    .reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0)
  expect(bytes).toBeLessThan(40e6)
})

it('has a proxy model that knows the example domains better than chance', async () => {
  const model = await loadTunedModel('dpm', packagePath('zoo', 'dpm'))
  const rows = await readExamples(packagePath('examples', 'data', 'maintenance.valid.jsonl'))
  const executor = createExecutor('onnxruntime', { threads: 1 })
  const { em } = await evaluateModel({ model, examples: rows.slice(0, 32), executor })
  expect(em).toBeGreaterThan(30)
})
