import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { packagePath } from '#base'
import type { MeshReport } from '../../cli/mesh/mesh-report.ts'
import { SOURCE_COMMAND } from './source-command.ts'

let temporary: string

beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'cotune-integration-'))
})
afterEach(async () => {
  await rm(temporary, { recursive: true, force: true })
})

it('co-tunes three devices and a cloud peer, and leaves nothing behind', async () => {
  const [program = '', ...args] = SOURCE_COMMAND
  const limits = ['--train', '60', '--public', '40', '--rounds', '1', '--eval-limit', '12']
  // Other models than the package's may be given, while those are being made.
  const models = process.env.COTUNE_TEST_MODELS
  if (models) limits.push('--models', models)
  const child = spawn(program, [...args, 'mesh', ...limits, '--json'], {
    cwd: packagePath(),
    env: { ...process.env, TMPDIR: temporary },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (part) => {
    stdout += String(part)
  })
  child.stderr.on('data', (part) => {
    stderr += String(part)
  })
  const [exitCode] = await once(child, 'close')
  expect(exitCode, stderr + stdout).toBe(0)

  const report = JSON.parse(stdout) as MeshReport
  expect(report).toMatchObject({ schema: 'cotune.mesh/1', rounds: 1 })
  expect(report.devices.map(({ slm }) => slm.family).sort()).toEqual(['gpt2', 'llama', 'qwen2'])
  for (const device of report.devices) {
    expect(device.bytesUp).toBeGreaterThan(0)
    expect(device.bytesDown).toBeGreaterThan(0)
    for (const scores of [device.standalone, device.cotuned]) expectScores(scores)
  }
  for (const { before, after } of [report.cloud.llm, report.cloud.dpm]) {
    expectScores(before)
    expectScores(after)
  }
  expect((await readdir(temporary)).filter((name) => name.startsWith('cotune-'))).toEqual([])
})

function expectScores(scores: { readonly em: number; readonly rougeL: number }): void {
  for (const score of [scores.em, scores.rougeL]) {
    expect(score).toBeGreaterThanOrEqual(0)
    expect(score).toBeLessThanOrEqual(100)
  }
}
