import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { PeerEvent } from '#protocols/api'
import { prepareMeshData } from '../../../cli/mesh/mesh-data.ts'
import { createMeshPlan, type MeshPlan } from '../../../cli/mesh/mesh-plan.ts'
import { type MeshReport, renderMeshReport } from '../../../cli/mesh/mesh-report.ts'
import { ProgressLines } from '../../../cli/mesh/progress-lines.ts'
import { runLimited } from '../../../cli/mesh/run-limited.ts'
import { fakeRound } from '../fake-status.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cotune-mesh-parts-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

const row = (id: string) => JSON.stringify({ id, instruction: 'i', input: id, output: 'o' })
const ids = async (path: string) =>
  (await readFile(path, 'utf8'))
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { id: string }).id)

async function meshData(changes: Partial<MeshPlan> = {}) {
  const train = Array.from({ length: 200 }, (_, i) => row(`t${i}`))
  const valid = Array.from({ length: 30 }, (_, i) => row(`v${i}`))
  const trainPath = join(folder, 'd.train.jsonl')
  const evaluationPath = join(folder, 'd.valid.jsonl')
  await writeFile(trainPath, train.join('\n'))
  await writeFile(evaluationPath, valid.join('\n'))
  const plan: MeshPlan = {
    devices: [{ name: 'device-1', domain: 'd', slm: '', trainPath, evaluationPath }],
    llm: '',
    dpm: '',
    rounds: 1,
    trainRows: 50,
    publicRows: 40,
    evaluationRows: 10,
    seed: 1,
    timeoutMs: 1,
    concurrency: 1,
    threads: { device: 1, cloud: 2 },
    ...changes,
  }
  const data = await prepareMeshData(plan, folder)
  const device = data.devices[0]
  return {
    train: await ids(device?.trainPath ?? ''),
    check: await ids(device?.checkPath ?? ''),
    evaluation: await ids(device?.evaluationPath ?? ''),
    public: await ids(data.publicPaths[0] ?? ''),
  }
}

describe('prepareMeshData', () => {
  it('gives each side its half, and no row to two of them', async () => {
    const data = await meshData()
    expect([data.train.length, data.public.length, data.evaluation.length]).toEqual([50, 40, 10])
    expect(data.check.length).toBeGreaterThan(0)
    const all = [...data.train, ...data.check, ...data.public, ...data.evaluation]
    expect(new Set(all).size).toBe(all.length)
    // The digest rule itself, apart from isPublic: first hex digit of SHA-256 even.
    const { createHash } = await import('node:crypto')
    const isEven = (id: string) =>
      Number.parseInt(createHash('sha256').update(id).digest('hex').slice(0, 1), 16) % 2 === 0
    expect(data.public.every(isEven)).toBe(true)
    expect([...data.train, ...data.check].some(isEven)).toBe(false)
  })

  it('takes the same rows for the same seed, others for another', async () => {
    const first = await meshData()
    expect(await meshData()).toEqual(first)
    expect((await meshData({ seed: 2 })).train).not.toEqual(first.train)
  })

  it('takes what there is when more is asked for', async () => {
    const data = await meshData({ trainRows: 4_000, publicRows: 4_000, evaluationRows: 4_000 })
    expect(data.train.length + data.check.length + data.public.length).toBe(200)
    expect(data.evaluation).toHaveLength(30)
  })

  it('names a row that is broken, and a file with too few', async () => {
    const plan = { ...(await planOf('x')), trainRows: 5 }
    await writeFile(join(folder, 'x.train.jsonl'), `${row('a')}\n{"id":`)
    await expect(prepareMeshData(plan, folder)).rejects.toMatchObject({
      code: 'DATA_LINE_MALFORMED',
      message: expect.stringContaining('x.train.jsonl:2'),
    })
    await writeFile(join(folder, 'x.train.jsonl'), row('a'))
    await expect(prepareMeshData(plan, folder)).rejects.toMatchObject({ code: 'MESH_TOO_FEW_ROWS' })
  })
})

async function planOf(domain: string): Promise<MeshPlan> {
  const path = (part: string) => join(folder, `${domain}.${part}.jsonl`)
  await writeFile(path('valid'), row('v'))
  return {
    devices: [
      {
        name: 'device-1',
        domain,
        slm: '',
        trainPath: path('train'),
        evaluationPath: path('valid'),
      },
    ],
    llm: '',
    dpm: '',
    rounds: 1,
    trainRows: 1,
    publicRows: 1,
    evaluationRows: 1,
    seed: 1,
    timeoutMs: 1,
    concurrency: 1,
    threads: { device: 1, cloud: 2 },
  }
}

describe('createMeshPlan', () => {
  const init = {
    rounds: 1,
    trainRows: 1,
    publicRows: 1,
    evaluationRows: 1,
    seed: 1,
    timeoutMs: 1,
    cores: 2,
  }

  it('names what is missing and what there is', async () => {
    expect(() => createMeshPlan({ ...init, data: folder })).toThrow(
      expect.objectContaining({ code: 'MESH_NO_DATA' }),
    )
    await writeFile(join(folder, 'kitchen.train.jsonl'), '')
    expect(() => createMeshPlan({ ...init, data: folder, domains: ['kitchn'] })).toThrow(
      expect.objectContaining({ code: 'MESH_NO_DOMAIN', hint: 'did you mean kitchen?' }),
    )
  })

  it('takes models by name before those of the package, the small ones in turn', () => {
    const named = { llm: 'org/large', dpm: 'org/proxy', slms: ['org/a', 'org/b'] }
    const plan = createMeshPlan({ ...init, ...named })
    expect(plan).toMatchObject({ llm: 'org/large', dpm: 'org/proxy' })
    expect(plan.devices.map(({ slm }) => slm)).toEqual(['org/a', 'org/b', 'org/a'])
  })
})

describe('runLimited', () => {
  it('keeps the order and the limit', async () => {
    let running = 0
    let most = 0
    const task = (value: number) => async () => {
      most = Math.max(most, ++running)
      await delay(10 - value)
      running--
      return value
    }
    expect(await runLimited([1, 2, 3, 4, 5].map(task), 2)).toEqual([1, 2, 3, 4, 5])
    expect(most).toBe(2)
  })

  it('starts nothing more after a failure', async () => {
    let started = 0
    const task = async () => {
      started++
      throw new Error('no')
    }
    await expect(runLimited([task, task, task], 1)).rejects.toThrow('no')
    expect(started).toBe(1)
  })
})

it('tells a tenth of a job at a time, and never twice the same', () => {
  let now = 0
  const lines = new ProgressLines(() => now)
  const progress = (step: number, round = 1): PeerEvent => ({
    type: 'progress',
    phase: 'saml',
    model: 'slm',
    round,
    step,
    steps: 100,
    loss: 1,
    tokensPerSecond: 10,
  })
  const told = []
  for (let step = 1; step <= 100; step++) {
    now += 1_000
    if (lines.tell('device-1', progress(step)) !== undefined) told.push(step)
  }
  expect(told).toEqual([1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100])
  expect(lines.tell('device-1', progress(1, 2))).toMatch(/^round 2 saml slm 1 %/)
  const round: PeerEvent = { type: 'round', round: fakeRound() }
  expect(lines.tell('cloud', round)).toBe('round 1/3 collecting, 1 of 2 updates')
  expect(lines.tell('cloud', round)).toBeUndefined()
})

it('shows the result as a table with the difference stated as it is', () => {
  const device = (name: string, standalone: number, cotuned: number) => ({
    name,
    domain: 'kitchen',
    slm: { family: 'gpt2', parameters: 1_400_000, vocabulary: 2_048 },
    standalone: { em: standalone, rougeL: standalone + 10 },
    cotuned: { em: cotuned, rougeL: cotuned + 10 },
    bytesUp: 3 * 1_024,
    bytesDown: 6 * 1_024,
  })
  const model = { before: { em: 50, rougeL: 60 }, after: { em: 55, rougeL: 65 } }
  const report: MeshReport = {
    schema: 'cotune.mesh/1',
    rounds: 3,
    devices: [device('device-1', 20, 24), device('device-2', 40, 30)],
    cloud: { llm: model, dpm: model },
    seconds: 61.3,
  }
  expect(renderMeshReport(report)).toBe(`\
DEVICE    MODEL       DOMAIN   EM ALONE  EM CO-TUNED  ROUGE-L ALONE  ROUGE-L CO-TUNED  SENT/ROUND  RECEIVED/ROUND
device-1  gpt2 1.4 M  kitchen      20.0         24.0           30.0              34.0     1.0 KiB         2.0 KiB
device-2  gpt2 1.4 M  kitchen      40.0         30.0           50.0              40.0     1.0 KiB         2.0 KiB
mean                               30.0         27.0           40.0              37.0

CLOUD MODEL  EM BEFORE  EM AFTER  ROUGE-L BEFORE  ROUGE-L AFTER
LLM               50.0      55.0            60.0           65.0
DPM               50.0      55.0            60.0           65.0

3 rounds in 61 s. Co-tuned against alone, on the mean: exact match -3.0, Rouge-L -3.0 points.`)
})
