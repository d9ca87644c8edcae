import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { EXIT, packagePath } from '#base'
import type { MeshPlan } from '../../../cli/mesh/mesh-plan.ts'
import { runMesh } from '../../../cli/mesh/run-mesh.ts'
import { fakeIo } from '../fake-io.ts'

const SOURCE = ['--import', 'tsx', '--conditions=cotune-source']
const COMMAND = [process.execPath, ...SOURCE, packagePath('test/cli/mesh/fake-peer.ts')]

// Real processes: on a machine that does other work as well they take their time to start.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 30_000 })

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cotune-run-mesh-'))
  // os.tmpdir() reads it each time: what a mesh leaves behind is then easy to see.
  vi.stubEnv('TMPDIR', folder)
  for (const domain of ['a', 'b']) {
    const rows = Array.from({ length: 60 }, (_, i) =>
      JSON.stringify({ id: `${domain}${i}`, instruction: 'i', input: `${i}`, output: 'o' }),
    )
    await writeFile(join(folder, `${domain}.train.jsonl`), rows.slice(0, 50).join('\n'))
    await writeFile(join(folder, `${domain}.valid.jsonl`), rows.slice(50).join('\n'))
  }
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true, force: true })
})

function plan(changes: Partial<MeshPlan> = {}): MeshPlan {
  return {
    devices: ['a', 'b'].map((domain, i) => ({
      name: `device-${i + 1}`,
      domain,
      slm: 'slm',
      trainPath: join(folder, `${domain}.train.jsonl`),
      evaluationPath: join(folder, `${domain}.valid.jsonl`),
    })),
    llm: 'llm',
    dpm: 'dpm',
    rounds: 3,
    trainRows: 400,
    publicRows: 10,
    evaluationRows: 8,
    seed: 1,
    timeoutMs: 60_000,
    concurrency: 2,
    threads: { device: 1, cloud: 2 },
    ...changes,
  }
}

async function meshFolders(): Promise<readonly string[]> {
  return (await readdir(folder)).filter((name) => name.startsWith('cotune-mesh-'))
}

function run(changes: Partial<MeshPlan> = {}) {
  const { io, written } = fakeIo()
  const outcome = runMesh({ plan: plan(changes), command: COMMAND, io, keep: false, tui: false })
  return { outcome, written }
}

it('runs processes through the whole job and leaves nothing behind', async () => {
  const { outcome, written } = run()
  const { exitCode, report } = await outcome
  expect(exitCode).toBe(EXIT.ok)
  const slm = { family: 'gpt2', parameters: 1_400_000, vocabulary: 2_048 }
  const device = {
    slm,
    standalone: { em: 20, rougeL: 20.5 },
    cotuned: { em: 30, rougeL: 30.5 },
    bytesUp: 30,
    bytesDown: 60,
  }
  const scores = { before: { em: 10, rougeL: 10.5 }, after: { em: 40, rougeL: 40.5 } }
  expect(report).toEqual({
    schema: 'cotune.mesh/1',
    rounds: 3,
    devices: [
      { name: 'device-1', domain: 'a', ...device },
      { name: 'device-2', domain: 'b', ...device },
    ],
    cloud: { llm: scores, dpm: scores },
    seconds: expect.any(Number),
  })
  expect(await meshFolders()).toEqual([])
  expect(written.stdout).toBe('')
  expect(written.stderr).toMatch(/device-1 {2}baseline slm \d+ %/)
  expect(written.stderr).toMatch(/cloud {5}round 3\/3 published/)
})

it('ends with the last log lines of a peer that died, and stops the others', async () => {
  vi.stubEnv('FAKE_PEER_DIES', 'device-2')
  const { outcome, written } = run()
  await expect(outcome).rejects.toMatchObject({
    code: 'MESH_PEER_DIED',
    message: expect.stringMatching(
      /^device-2 ended \(exit code 7\); its log ends:\n(.*\n)*.*out of memory/,
    ),
  })
  expect(written.stderr).toMatch(/device-2 {2}log: out of memory/)
  expect(await meshFolders()).toEqual([])
})

it('ends when a round is aborted, with the reason', async () => {
  vi.stubEnv('FAKE_PEER_ABORTS', 'yes')
  await expect(run().outcome).rejects.toMatchObject({
    code: 'MESH_ROUND_ABORTED',
    message: 'round 3 was aborted: made up',
  })
  expect(await meshFolders()).toEqual([])
})

it('gives up in time', async () => {
  await expect(run({ timeoutMs: 50 }).outcome).rejects.toMatchObject({
    code: 'MESH_TIMEOUT',
    exit: EXIT.timeout,
  })
  expect(await meshFolders()).toEqual([])
})

it.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('cleans up on %s', async (signal, code) => {
  const parent = await startParent()
  parent.kill(signal)
  const [exitCode] = await once(parent, 'exit')
  expect(exitCode).toBe(code)
  expect(await meshFolders()).toEqual([])
  expect(await peersAlive()).toBe(0)
})

it('takes its peers along when it is killed', async () => {
  const parent = await startParent()
  expect(await peersAlive()).toBe(3)
  parent.kill('SIGKILL')
  await vi.waitFor(async () => expect(await peersAlive()).toBe(0), { timeout: 20_000 })
})

/** A mesh in a process of its own that waits for rounds which never end. */
async function startParent() {
  const script = join(folder, 'parent.mts')
  const slow = { ...plan(), timeoutMs: 60_000 }
  await writeFile(
    script,
    `import { runMesh } from ${JSON.stringify(packagePath('cli/mesh/run-mesh.ts'))}
     const outcome = await runMesh({
       plan: ${JSON.stringify(slow)}, command: ${JSON.stringify(COMMAND)}, io: process, keep: false, tui: false,
     })
     process.exitCode = outcome.exitCode`,
  )
  const parent = spawn(process.execPath, [...SOURCE, script], {
    stdio: ['ignore', 'ignore', 'ignore'],
    env: { ...process.env, FAKE_PEER_HANGS: 'yes' },
    cwd: packagePath(),
  })
  for (let i = 0; i < 600 && (await peersAlive()) < 3; i++) await delay(50)
  return parent
}

/** Peers whose home is in this test's folder and that still answer. */
async function peersAlive(): Promise<number> {
  const [mesh] = await meshFolders()
  if (mesh === undefined) return 0
  const names = ['cloud', 'device-1', 'device-2']
  return names.filter((name) => existsSync(join(folder, mesh, name, 'control.sock'))).length
}
