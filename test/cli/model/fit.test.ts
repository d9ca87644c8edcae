import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EXIT } from '#base'
import type { Fit } from '#learning/fit'
import { saveCheckpoint } from '#learning/models'
import { randomModel } from '../../learning/models/random-model.ts'
import { TINY } from '../../learning/models/tiny-models.ts'
import { runCommand } from '../run-command.ts'

let folder: string
let own: string
let other: string
let short: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cotune-fit-command-'))
  own = join(folder, 'own')
  other = join(folder, 'other')
  short = join(folder, 'short')
  const shorter = { ...TINY.gpt2, vocab_size: 40, n_positions: 48 }
  await saveCheckpoint(short, randomModel(shorter, 'short'))
  await saveCheckpoint(own, randomModel({ ...TINY.llama, vocab_size: 256 }, 'own'))
  await saveCheckpoint(other, randomModel({ ...TINY.gpt2, vocab_size: 300 }, 'other'))
})
afterAll(() => rm(folder, { recursive: true }))

const fitOf = (...argv: readonly string[]) =>
  runCommand('model', 'fit', own, '--length', '32', ...argv)

async function firstTotal(...argv: readonly string[]): Promise<number> {
  const { stdout } = await fitOf('--memory', '4GB', '--json', ...argv)
  return (JSON.parse(stdout) as Fit).options[0]!.memory.total
}

describe('cotune model fit', () => {
  it('names the settings that fit, and says that it counted one model alone', async () => {
    const { exitCode, stdout, stderr } = await fitOf('--memory', '4GB')
    expect(stderr).toBe('')
    expect(exitCode).toBe(EXIT.ok)
    expect(stdout).toContain('basePrecision = "float32"')
    expect(stdout).toContain('One model that learns alone.')
    expect(stdout).not.toContain('teaching')
  })

  it('counts as many tokens as the models read unless told', async () => {
    const lengthOf = async (...argv: readonly string[]) => {
      const { stdout } = await runCommand(
        ...['model', 'fit', own, '--memory', '4GB', '--json'],
        ...argv,
      )
      return JSON.parse(stdout).length
    }
    expect(await lengthOf()).toBe(64)
    expect(await lengthOf('--with', short)).toBe(48)
    const { exitCode, stderr } = await fitOf('--memory', '4GB', '--length', '65')
    expect(exitCode).toBe(EXIT.data)
    expect(stderr).toContain('MODEL_CONTEXT_EXCEEDED')
  })

  it('exits with 1 where nothing fits', async () => {
    const { exitCode, stdout } = await fitOf('--memory', '190MB')
    expect(exitCode).toBe(EXIT.failure)
    expect(stdout).toContain('Nothing fits')
  })

  it('counts mutual learning, and says that the other model is not in it', async () => {
    const { stdout, stderr } = await fitOf('--memory', '4GB', '--mutual')
    expect(stderr).toBe('')
    expect(stdout).toContain('teaching')
    expect(stdout).toContain('without the other model')
    expect(stdout).toContain('topK = 32')
    expect(await firstTotal('--mutual')).toBeGreaterThan(await firstTotal())
  })

  it('counts the other model with it', async () => {
    const { stdout } = await fitOf('--memory', '4GB', '--with', other)
    expect(stdout).toContain('both models together')
    expect(await firstTotal('--with', other)).toBeGreaterThan(await firstTotal('--mutual'))
  })

  it('counts the training of every parameter, and says that it did', async () => {
    const { stdout, stderr } = await fitOf('--memory', '4GB', '--full')
    expect(stderr).toBe('')
    expect(stdout).toContain('All parameters are trained. One model that learns alone.')
    expect(stdout).toContain('slm = "full"')
    expect(stdout).toContain('recompute = "none"')
    expect(stdout).not.toMatch(/int8|packed|basePrecision|packWeights/)
    const { stdout: json } = await fitOf('--memory', '4GB', '--full', '--json')
    expect(JSON.parse(json)).toMatchObject({ train: 'full', best: { memory: { weights: 0 } } })
  })

  it('counts the other model with its frozen base beside that', async () => {
    const { stdout } = await fitOf('--memory', '4GB', '--full', '--with', other)
    expect(stdout).toContain('All parameters are trained. Mutual learning, both models together.')
    expect(stdout).toContain('slm = "full"\nbasePrecision = "float32"\npackWeights = true')
    expect(await firstTotal('--full', '--with', other)).toBeGreaterThan(
      await firstTotal('--full', '--mutual'),
    )
  })

  it('names an adapter where nothing else fits', async () => {
    const { exitCode, stdout } = await fitOf('--memory', '190MB', '--full')
    expect(exitCode).toBe(EXIT.failure)
    expect(stdout).toContain('leave out --full')
  })

  it('says that no model would fit where the runtime does not', async () => {
    const { exitCode, stdout } = await fitOf('--memory', '1MB')
    expect(exitCode).toBe(EXIT.failure)
    expect(stdout).toMatch(/the runtime alone takes \d+ MiB, whatever the model/)
  })

  it('prints every setting that the estimate stands on', async () => {
    const { stdout } = await fitOf('--memory', '4GB', '--batch', '4', '--rank', '16')
    expect(stdout).toContain('batch = 4\naccumulate = 1\nlength = 32\nrank = 16')
  })

  it.each([
    ['--top-k', '5000', 'topK'],
    ['--temperature', '0', 'temperature'],
    ['--batch', '2000', 'batch'],
    ['--length', '8', 'length'],
    ['--rank', '300', 'rank'],
  ])('refuses what the settings of a peer would refuse: %s %s', async (option, value, name) => {
    const { exitCode, stderr } = await fitOf('--memory', '4GB', option, value)
    expect(exitCode).toBe(EXIT.config)
    expect(stderr).toContain(`cotune: tuning settings: ${name}: Too `)
    expect(stderr).toContain('TUNING_SETTINGS_INVALID')
    const narrow = await fitOf('--memory', '4GB', '--top-k', '41', '--with', short)
    expect(narrow.exitCode).toBe(EXIT.config)
    expect(narrow.stderr).toContain('topK 41 is more than the 40 tokens')
  })
})
