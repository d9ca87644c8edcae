import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, vi } from 'vitest'
import { importMeshData, joinMesh } from '../../cli/mesh/co-tune.ts'
import { LocalMesh } from '../../cli/mesh/local-mesh.ts'
import { prepareMeshData } from '../../cli/mesh/mesh-data.ts'
import { createMeshPlan } from '../../cli/mesh/mesh-plan.ts'
import { SOURCE_COMMAND } from './source-command.ts'

interface MeshSize {
  readonly devices: number
  readonly rounds: number
  /** Rows of each device. */
  readonly trainRows: number
  readonly publicRows: number
}

/** Enough for a whole test on two busy cores. */
const TIMEOUT_MS = 400_000

/**
 * Gives each test of a file a folder of its own for what it starts, and stops its mesh at the end.
 *
 * @returns starts a mesh whose devices have joined and hold their rows; no run is open yet
 */
export function smallMesh(): (size: MeshSize, signal: AbortSignal) => Promise<LocalMesh> {
  let temporary: string
  let mesh: LocalMesh | undefined

  beforeEach(async () => {
    temporary = await mkdtemp(join(tmpdir(), 'cotune-integration-'))
    vi.stubEnv('TMPDIR', temporary)
  })
  afterEach(async () => {
    await mesh?.stop()
    vi.unstubAllEnvs()
    await rm(temporary, { recursive: true, force: true })
  })

  return async ({ devices: count, ...size }, signal) => {
    const all = createMeshPlan({
      // Other models than the package's may be given, while those are being made.
      ...(process.env.COTUNE_TEST_MODELS ? { models: process.env.COTUNE_TEST_MODELS } : {}),
      ...size,
      evaluationRows: 8,
      seed: 1,
      timeoutMs: TIMEOUT_MS,
      cores: 2,
    })
    const plan = { ...all, devices: all.devices.slice(0, count) }
    mesh = await LocalMesh.create({ plan, command: SOURCE_COMMAND })
    const data = await prepareMeshData(plan, mesh.dataFolder)
    await mesh.start(signal)
    const { cloud, devices } = mesh
    const init = { plan, data, cloud, devices, say: () => undefined, signal }
    await joinMesh(init)
    await importMeshData(init)
    return mesh
  }
}
