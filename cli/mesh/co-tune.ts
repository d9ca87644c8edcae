import { setTimeout as delay } from 'node:timers/promises'
import { CotuneError, EXIT } from '#base'
import type { Scores, Status } from '#protocols/api'
import type { MeshPeer } from './child-peer.ts'
import type { MeshData } from './mesh-data.ts'
import type { MeshPlan } from './mesh-plan.ts'
import { deviceReport, type MeshReport, meshScores } from './mesh-report.ts'
import { runLimited } from './run-limited.ts'

export interface CoTuneInit {
  readonly plan: MeshPlan
  readonly data: MeshData
  readonly cloud: MeshPeer
  /** In the order of the plan's. */
  readonly devices: readonly MeshPeer[]
  /** Told of each step in words. */
  readonly say: (text: string) => void
  readonly pollMs?: number
  readonly signal: AbortSignal
}

const MINUTE_MS = 60_000

/**
 * The main job over the peers' local APIs: join, import, score, co-tune, score again.
 * @throws CotuneError MESH_ROUND_ABORTED, and whatever a peer reports
 */
export async function coTune(init: CoTuneInit): Promise<Omit<MeshReport, 'seconds'>> {
  await joinMesh(init)
  await importMeshData(init)
  const before = await scoreBefore(init)
  await runRounds(init)
  const after = await scoreAfter(init)
  const statuses = await Promise.all(
    init.devices.map(({ client }) => client.call('GET /v1/status', undefined, init.signal)),
  )
  return {
    schema: 'cotune.mesh/1',
    rounds: init.plan.rounds,
    devices: init.plan.devices.map(({ domain }, i) =>
      deviceReport(domain, at(statuses, i), at(before.standalone, i), at(after.cotuned, i)),
    ),
    cloud: {
      llm: { before: meshScores(before.llm), after: meshScores(after.llm) },
      dpm: { before: meshScores(before.dpm), after: meshScores(after.dpm) },
    },
  }
}

/** Each device joins with an invite of its own. */
export async function joinMesh({ cloud, devices, say, signal }: CoTuneInit): Promise<void> {
  say('devices join by invite')
  for (const { name, client } of devices) {
    const { invite } = await cloud.client.call('POST /v1/invites', { name }, signal)
    await client.call('POST /v1/join', { invite }, signal)
  }
}

/** Private rows go to their devices, public rows to the cloud peer. */
export async function importMeshData({
  plan,
  data,
  cloud,
  devices,
  say,
  signal,
}: CoTuneInit): Promise<void> {
  say('importing: private rows on the devices, public rows in the cloud')
  for (const [i, { domain }] of plan.devices.entries()) {
    const { trainPath, checkPath } = at(data.devices, i)
    const { client } = at(devices, i)
    const name = domain
    await client.call(
      'POST /v1/data',
      { name, path: trainPath, use: 'train', onlyPrivate: true },
      signal,
    )
    await client.call('POST /v1/data', { name, path: checkPath, use: 'evaluation' }, signal)
    const path = at(data.publicPaths, i)
    await cloud.client.call('POST /v1/data', { name, path, use: 'train' }, signal)
  }
}

async function scoreBefore(init: CoTuneInit): Promise<{
  readonly llm: Scores
  readonly dpm: Scores
  readonly standalone: readonly Scores[]
}> {
  const { plan, data, cloud, devices, say, signal } = init
  say('before: scoring the cloud models, tuning each small model alone')
  const path = data.evaluationPath
  const cloudTask = async () => {
    const call = cloud.client.call
    const llm = await call('POST /v1/evaluate', { model: 'llm', label: 'before', path }, signal)
    const dpm = await call('POST /v1/evaluate', { model: 'dpm', label: 'before', path }, signal)
    return [llm, dpm]
  }
  const deviceTasks = devices.map(({ client }, i) => async () => {
    await client.call('POST /v1/baseline', { rounds: plan.rounds }, signal)
    return [await scoreDevice(init, i, 'standalone')]
  })
  const [cloudScores, ...standalone] = await runLimited(
    [cloudTask, ...deviceTasks],
    plan.concurrency,
  )
  return {
    llm: at(cloudScores ?? [], 0),
    dpm: at(cloudScores ?? [], 1),
    standalone: standalone.map((scores) => at(scores, 0)),
  }
}

async function scoreAfter(init: CoTuneInit): Promise<{
  readonly llm: Scores
  readonly dpm: Scores
  readonly cotuned: readonly Scores[]
}> {
  const { plan, data, cloud, devices, say, signal } = init
  say('after: scoring all models')
  const path = data.evaluationPath
  const cloudTask = async () => {
    const call = cloud.client.call
    const llm = await call('POST /v1/evaluate', { model: 'llm', label: 'after', path }, signal)
    const dpm = await call('POST /v1/evaluate', { model: 'dpm', label: 'after', path }, signal)
    return [llm, dpm]
  }
  const deviceTasks = devices.map((_, i) => async () => [await scoreDevice(init, i, 'cotuned')])
  const [cloudScores, ...cotuned] = await runLimited([cloudTask, ...deviceTasks], plan.concurrency)
  return {
    llm: at(cloudScores ?? [], 0),
    dpm: at(cloudScores ?? [], 1),
    cotuned: cotuned.map((scores) => at(scores, 0)),
  }
}

async function scoreDevice(
  { data, devices, signal }: CoTuneInit,
  i: number,
  label: 'standalone' | 'cotuned',
): Promise<Scores> {
  const path = at(data.devices, i).evaluationPath
  return at(devices, i).client.call('POST /v1/evaluate', { model: 'slm', label, path }, signal)
}

async function runRounds(init: CoTuneInit): Promise<void> {
  const { plan, cloud, devices, say, signal } = init
  say(`${plan.rounds} rounds of ${devices.length} devices`)
  await cloud.client.call(
    'POST /v1/run',
    { rounds: plan.rounds, quorum: devices.length, deadlineMs: plan.timeoutMs },
    signal,
  )
  await until(init, cloud, isLastRoundPublished)
  const { dpmVersion } = await cloud.client.call('GET /v1/status', undefined, signal)
  for (const device of devices) {
    await until(init, device, (status) => status.dpmVersion >= dpmVersion, MINUTE_MS)
  }
}

function isLastRoundPublished({ round, history }: Status): boolean {
  const known = round === null ? history : [round, ...history]
  const aborted = known.find(({ phase }) => phase === 'aborted')
  if (aborted !== undefined) {
    throw new CotuneError(
      'MESH_ROUND_ABORTED',
      `round ${aborted.round} was aborted: ${aborted.reason}`,
      {
        hint: 'see the logs (--keep leaves them); fewer --train rows or a longer --timeout give devices time',
        data: { round: aborted.round },
        exit: EXIT.unhealthy,
      },
    )
  }
  return known.some((each) => each.round >= each.rounds && each.phase === 'published')
}

/** Waits for a state of a peer; with a time limit, goes on without it. */
async function until(
  { pollMs = 500, say, signal }: CoTuneInit,
  { name, client }: MeshPeer,
  isThere: (status: Status) => boolean,
  limitMs = Number.POSITIVE_INFINITY,
): Promise<void> {
  const startedAt = performance.now()
  while (!isThere(await client.call('GET /v1/status', undefined, signal))) {
    if (performance.now() - startedAt > limitMs) {
      say(`${name} has not taken the last version; going on without it`)
      return
    }
    await delay(pollMs, undefined, { signal })
  }
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index]
  if (item !== undefined) return item
  throw new RangeError(`no item ${index} of ${items.length}`)
}
