import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { CotuneError, createRandom, EXIT, writeFileAtomic } from '#base'
import { isPublic } from '#learning/data'
import type { DevicePlan, MeshPlan } from './mesh-plan.ts'

/** Held back from training, for a device to judge new versions by; scores are measured elsewhere. */
const MAX_CHECK_ROWS = 40

export interface DeviceData {
  readonly trainPath: string
  readonly checkPath: string
  readonly evaluationPath: string
}

export interface MeshData {
  readonly devices: readonly DeviceData[]
  /** Public rows by domain. */
  readonly publicPaths: readonly string[]
  /** All devices' evaluation rows, for the cloud's models. */
  readonly evaluationPath: string
}

/**
 * Cuts each domain's train file in its halves (`isPublic`): a device gets private rows only, the cloud peer public ones
 * only. A row without an id counts as private: the cloud must not see it.
 */
export async function prepareMeshData(plan: MeshPlan, folder: string): Promise<MeshData> {
  const devices: DeviceData[] = []
  const publicPaths: string[] = []
  const evaluation: string[] = []
  for (const device of plan.devices) {
    const { publicRows, train, check } = await cutHalves(device, plan)
    const rows = await sampleRows(device.evaluationPath, plan.evaluationRows, plan.seed)
    const pathOf = (part: string) => join(folder, `${device.domain}.${part}.jsonl`)
    const data = {
      trainPath: pathOf('private'),
      checkPath: pathOf('check'),
      evaluationPath: pathOf('evaluation'),
    }
    await writeRows(data.trainPath, train)
    await writeRows(data.checkPath, check)
    await writeRows(data.evaluationPath, rows)
    await writeRows(pathOf('public'), publicRows)
    devices.push(data)
    publicPaths.push(pathOf('public'))
    evaluation.push(...rows)
  }
  const evaluationPath = join(folder, 'all.evaluation.jsonl')
  await writeRows(evaluationPath, evaluation)
  return { devices, publicPaths, evaluationPath }
}

async function cutHalves(
  device: DevicePlan,
  plan: MeshPlan,
): Promise<Record<'publicRows' | 'train' | 'check', readonly string[]>> {
  const lines = await readLines(device.trainPath)
  const random = createRandom(`${plan.seed}/${device.domain}`)
  const open = lines.filter((line) => isPublicRow(line))
  const own = random.shuffle(lines.filter((line) => !isPublicRow(line)))
  const checkRows = Math.min(MAX_CHECK_ROWS, Math.floor(own.length / 10))
  const train = own.slice(0, Math.min(plan.trainRows, own.length - checkRows))
  if (train.length === 0 || open.length === 0) throw tooFew(device)
  return {
    publicRows: random.shuffle(open).slice(0, plan.publicRows),
    train,
    check: own.slice(train.length, train.length + checkRows),
  }
}

function isPublicRow(line: string): boolean {
  const { id } = JSON.parse(line) as { readonly id?: unknown }
  return typeof id === 'string' && isPublic(id)
}

async function sampleRows(path: string, limit: number, seed: number): Promise<readonly string[]> {
  const rows = await readLines(path)
  return rows.length <= limit
    ? rows
    : createRandom(`${seed}/evaluation`).shuffle(rows).slice(0, limit)
}

async function readLines(path: string): Promise<readonly string[]> {
  const lines: string[] = []
  for await (const line of createInterface({ input: createReadStream(path) })) {
    if (line.trim() === '') continue
    try {
      JSON.parse(line)
    } catch (cause) {
      throw new CotuneError('MESH_BAD_ROW', `${path}: line ${lines.length + 1} is not JSON`, {
        hint: 'each line is one object with id, instruction, input and output',
        data: { path, line: lines.length + 1 },
        exit: EXIT.data,
        cause,
      })
    }
    lines.push(line)
  }
  return lines
}

async function writeRows(path: string, rows: readonly string[]): Promise<void> {
  await writeFileAtomic(path, rows.map((row) => `${row}\n`).join(''), 0o600)
}

function tooFew({ domain, trainPath }: DevicePlan): CotuneError {
  return new CotuneError('MESH_TOO_FEW_ROWS', `${trainPath} lacks private or public rows`, {
    hint: 'rows need an `id`; about half of them are public by its digest (docs/co-tuning.md)',
    data: { domain, trainPath },
    exit: EXIT.data,
  })
}
