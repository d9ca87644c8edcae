import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { CotuneError, createRandom, EXIT, writeFileAtomic } from '#base'
import { isPublic, parseExample } from '#learning/data'
import type { DevicePlan, MeshPlan } from './mesh-plan.ts'

/** Held back from training, for a device to judge new versions by; scores are measured elsewhere. */
const MAX_CHECK_ROWS = 40

interface Row {
  readonly text: string
  readonly isPublic: boolean
}

interface DeviceData {
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
 * only. No row is in both.
 * @throws CotuneError MESH_TOO_FEW_ROWS, DATA_LINE_MALFORMED, DATA_ROW_NO_ANSWER
 */
export async function prepareMeshData(plan: MeshPlan, folder: string): Promise<MeshData> {
  const devices: DeviceData[] = []
  const publicPaths: string[] = []
  const evaluation: Row[] = []
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
): Promise<Record<'publicRows' | 'train' | 'check', readonly Row[]>> {
  const rows = await readRows(device.trainPath)
  const random = createRandom(`${plan.seed}/${device.domain}`)
  const open = rows.filter((row) => row.isPublic)
  const own = random.shuffle(rows.filter((row) => !row.isPublic))
  const checkRows = Math.min(MAX_CHECK_ROWS, Math.floor(own.length / 10))
  const train = own.slice(0, Math.min(plan.trainRows, own.length - checkRows))
  if (train.length === 0 || open.length === 0) throw tooFew(device)
  return {
    publicRows: random.shuffle(open).slice(0, plan.publicRows),
    train,
    check: own.slice(train.length, train.length + checkRows),
  }
}

async function sampleRows(path: string, limit: number, seed: number): Promise<readonly Row[]> {
  const rows = await readRows(path)
  return rows.length <= limit
    ? rows
    : createRandom(`${seed}/evaluation`).shuffle(rows).slice(0, limit)
}

async function readRows(path: string): Promise<readonly Row[]> {
  const rows: Row[] = []
  let line = 0
  for await (const text of createInterface({ input: createReadStream(path) })) {
    line++
    if (text.trim() === '') continue
    const { id } = parseExample(text, `${path}:${line}`)
    rows.push({ text, isPublic: isPublic(id) })
  }
  return rows
}

async function writeRows(path: string, rows: readonly Row[]): Promise<void> {
  await writeFileAtomic(path, rows.map(({ text }) => `${text}\n`).join(''), 0o600)
}

function tooFew({ domain, trainPath }: DevicePlan): CotuneError {
  return new CotuneError('MESH_TOO_FEW_ROWS', `${trainPath} lacks private or public rows`, {
    hint: 'about half of the rows are public by the digest of their id (docs/co-tuning.md); give more rows',
    data: { domain, trainPath },
    exit: EXIT.data,
  })
}
