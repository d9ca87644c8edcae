import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EXIT } from '#base'
import { tensor } from '#engine'
import { encodeSafetensors, saveCheckpoint } from '#learning/models'
import { randomModel } from '../../learning/models/random-model.ts'
import {
  hasSharedCheckpoints,
  REASON,
  sharedCheckpoint,
} from '../../learning/models/shared-checkpoints.ts'
import { TINY } from '../../learning/models/tiny-models.ts'
import { runCommand } from '../run-command.ts'

let folder: string
const { model, weights } = randomModel(TINY.llama, 'show')
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cotune-show-'))
  await saveCheckpoint(join(folder, 'good'), { model, weights, dtype: 'bfloat16' })
})
afterAll(() => rm(folder, { recursive: true }))

const show = (...argv: readonly string[]) => runCommand('model', 'show', ...argv)

/** A folder whose weights hold `value` once, and a tensor of that name too many. */
async function withFault(name: string, { value = 0, extra = 'extra' } = {}): Promise<string> {
  const path = join(folder, name)
  await saveCheckpoint(path, { model, weights })
  const changed = new Map(weights)
  const norm = Float32Array.from(weights.get('model.norm.weight')!.data)
  norm[3] = value
  changed.set('model.norm.weight', tensor(norm, [norm.length]))
  changed.set(extra, tensor(Float32Array.of(1), [1]))
  await writeFile(join(path, 'model.safetensors'), encodeSafetensors(changed))
  return path
}

it('says what a folder holds', async () => {
  const path = join(folder, 'good')
  const { exitCode, stdout, stderr } = await show(path, '--json')
  expect({ exitCode, stderr }).toEqual({ exitCode: EXIT.ok, stderr: '' })
  const parameters = [...weights.values()].reduce((sum, { data }) => sum + data.length, 0)
  const { config } = model
  expect(JSON.parse(stdout)).toMatchObject({
    folder: path,
    family: 'llama',
    parameters,
    layers: config.layers,
    hiddenSize: config.hiddenSize,
    keyValueHeads: config.keyValueHeads,
    contextLength: config.contextLength,
    vocabularySize: config.vocabularySize,
    tiedHead: config.tiedHead,
    dtypes: { BF16: parameters },
    files: [{ name: 'model.safetensors', sizeBytes: expect.any(Number) }],
    storedBytes: parameters * 2,
    float32Bytes: parameters * 4,
    tokenizer: null,
    verified: false,
    warnings: [],
  })
  const table = await show(path, '--verify')
  expect(table.stdout).toMatch(/^family {6}llama: 2 layers/m)
  expect(table.stdout).toMatch(/^numbers {5}all finite$/m)
})

it('reads the numbers only when asked to', async () => {
  const path = await withFault('nan', { value: Number.NaN })
  expect((await show(path, '--json')).exitCode).toBe(EXIT.ok)
  const { exitCode, stdout } = await show(path, '--verify', '--json')
  expect(exitCode).toBe(EXIT.data)
  expect(JSON.parse(stdout).error).toMatchObject({
    code: 'MODEL_TENSOR_NOT_FINITE',
    message: 'tensor model.norm.weight holds 1 not-a-number value',
  })
})

it('prints no control character that hides in a name', async () => {
  const path = await withFault('escapes', { extra: '\u001b[2J\u009b31m\u202e\nwarning: x' })
  const plain = await show(path)
  const json = await show(path, '--json')
  for (const { stdout, stderr } of [plain, json])
    expect(stdout + stderr).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u)
  expect(plain.stderr.split('\n')).toHaveLength(2)
  expect(JSON.parse(json.stdout).warnings).toHaveLength(1)
})

it('says what to do when there is no such folder', async () => {
  const { exitCode, stdout } = await show(join(folder, 'nothing'), '--json')
  expect(exitCode).not.toBe(EXIT.ok)
  expect(JSON.parse(stdout).error.hint).not.toBe('')
})

describe.skipIf(!hasSharedCheckpoints)(`malformed checkpoints${REASON}`, async () => {
  const names = hasSharedCheckpoints ? await readdir(sharedCheckpoint('bad')) : []
  const loading = ['_good', '_good-sharded', 'extra-tensor', 'proto-key']

  it.each(names.filter((name) => !loading.includes(name)))('%s is refused', async (name) => {
    const { exitCode, stdout, stderr } = await show(
      sharedCheckpoint('bad', name),
      '--verify',
      '--json',
    )
    expect({ exitCode, stderr }).toEqual({ exitCode: EXIT.data, stderr: '' })
    const { code, message, hint } = JSON.parse(stdout).error
    expect(code).toMatch(/^(MODEL|SAFETENSORS|TOKENIZER)_/)
    expect(message).not.toMatch(/\bat \S+:\d+/)
    expect(hint).not.toBe('')
  })

  it.each(loading)('%s is not', async (name) => {
    const { exitCode, stdout } = await show(sharedCheckpoint('bad', name), '--verify', '--json')
    expect(exitCode).toBe(EXIT.ok)
    const { verified, warnings } = JSON.parse(stdout)
    expect(verified).toBe(true)
    expect(warnings).toHaveLength(name.startsWith('_') ? 0 : 1)
  })
})
