import { setTimeout as delay } from 'node:timers/promises'
import { CotuneError, EXIT, isCotuneError } from '#base'
import type { Io } from '../io.ts'
import { stopOnSignal } from '../stop-on-signal.ts'
import { coTune } from './co-tune.ts'
import { followPeers } from './follow-peers.ts'
import { LocalMesh } from './local-mesh.ts'
import { prepareMeshData } from './mesh-data.ts'
import type { MeshPlan } from './mesh-plan.ts'
import type { MeshReport } from './mesh-report.ts'
import { readComplaints } from './read-complaints.ts'

const GRACE_MS = 2_000

export interface RunMeshInit {
  readonly plan: MeshPlan
  /** Program and arguments that run this command line. */
  readonly command: readonly string[]
  readonly io: Io
  readonly keep: boolean
  /** Show the cloud peer's screens instead of lines. */
  readonly tui: boolean
}

export interface MeshOutcome {
  readonly exitCode: number
  /** Absent when the user ended it. */
  readonly report?: MeshReport
}

/**
 * Starts the peers, runs the main job, and leaves nothing behind: no process, and no folder unless `keep`.
 * @throws CotuneError MESH_PEER_DIED, MESH_TIMEOUT, and what the job reports
 */
export async function runMesh({ plan, command, io, keep, tui }: RunMeshInit): Promise<MeshOutcome> {
  const startedAt = performance.now()
  const mesh = await LocalMesh.create({ plan, command, keep })
  const stop = stopOnSignal(() => mesh.stopNow())
  const end = new AbortController()
  const timeout = AbortSignal.timeout(plan.timeoutMs)
  const signal = AbortSignal.any([stop.signal, timeout, end.signal])
  const lines = { muted: false }
  const say = (peer: string, text: string) => {
    if (lines.muted) return
    const seconds = Math.round((performance.now() - startedAt) / 1_000)
    io.stderr.write(`[${String(seconds).padStart(4)} s] ${peer.padEnd(9)} ${text}\n`)
  }
  const onExit = () => mesh.stopNow()
  process.once('exit', onExit)
  try {
    say('mesh', `one cloud peer, ${plan.devices.length} devices in ${mesh.folder}`)
    const data = await prepareMeshData(plan, mesh.dataFolder)
    await mesh.start(signal)
    const died = Promise.race(mesh.peers.map((peer) => peer.died))
    const following = followPeers(mesh.peers, say, signal)
    const screens = tui ? showScreens(mesh, lines, signal) : Promise.resolve()
    const { cloud, devices } = mesh
    const job = coTune({ plan, data, cloud, devices, say: (text) => say('mesh', text), signal })
    const report = await Promise.race([preferCause(job, died), died])
    end.abort()
    await Promise.all([following, screens])
    const seconds = Math.round((performance.now() - startedAt) / 100) / 10
    return { exitCode: EXIT.ok, report: { ...report, seconds } }
  } catch (error) {
    end.abort()
    const exitCode = stop.exitCode()
    if (exitCode !== undefined) return { exitCode }
    lines.muted = false
    // The logs go with the folder; what they complain of must not.
    for (const peer of mesh.peers) {
      for (const complaint of await readComplaints(peer.logPath)) say(peer.name, complaint)
    }
    throw timeout.aborted ? timedOut(plan.timeoutMs, error) : error
  } finally {
    lines.muted = false
    await mesh.stop()
    process.off('exit', onExit)
    stop.release()
    if (keep) say('mesh', `kept ${mesh.folder}`)
  }
}

/** The screens stand in for the lines until the user leaves them or the job ends. */
async function showScreens(
  mesh: LocalMesh,
  lines: { muted: boolean },
  signal: AbortSignal,
): Promise<void> {
  const { runTui } = await import('#tui')
  lines.muted = true
  const { client } = mesh.cloud
  await runTui({ client, stdout: process.stdout, stdin: process.stdin, signal })
  lines.muted = false
}

/** A peer that dies breaks the calls under way a moment before its end is known: that it died is what to tell. */
async function preferCause<T>(job: Promise<T>, died: Promise<never>): Promise<T> {
  try {
    return await job
  } catch (error) {
    if (!isCotuneError(error, 'API_UNREACHABLE')) throw error
    await Promise.race([died, delay(GRACE_MS)])
    throw error
  }
}

function timedOut(timeoutMs: number, cause: unknown): CotuneError {
  return new CotuneError('MESH_TIMEOUT', `the mesh was not done after ${timeoutMs / 1_000} s`, {
    hint: 'give --timeout more, or fewer --train rows, --rounds or --eval-limit rows',
    exit: EXIT.timeout,
    cause,
  })
}
