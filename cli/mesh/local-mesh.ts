import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Role } from '#protocols/api'
import { configPath, type InitialConfig, renderConfig } from '../config-file.ts'
import { ChildPeer } from './child-peer.ts'
import type { MeshPlan } from './mesh-plan.ts'

export interface LocalMeshInit {
  readonly plan: MeshPlan
  /** Program and arguments that run this command line. */
  readonly command: readonly string[]
  /** Leave the folder in place. */
  readonly keep?: boolean
}

/** A cloud peer and devices as child processes, all in one temporary folder. */
export class LocalMesh {
  readonly folder: string
  readonly #init: LocalMeshInit
  readonly #peers = new Map<string, ChildPeer>()

  private constructor(init: LocalMeshInit, folder: string) {
    this.#init = init
    this.folder = folder
  }

  static async create(init: LocalMeshInit): Promise<LocalMesh> {
    const folder = await mkdtemp(join(tmpdir(), 'cotune-mesh-'))
    await mkdir(join(folder, 'data'))
    return new LocalMesh(init, folder)
  }

  get dataFolder(): string {
    return join(this.folder, 'data')
  }

  get cloud(): ChildPeer {
    return this.peer('cloud')
  }

  get devices(): readonly ChildPeer[] {
    return this.#init.plan.devices.map(({ name }) => this.peer(name))
  }

  get peers(): readonly ChildPeer[] {
    return [...this.#peers.values()]
  }

  homeOf(name: string): string {
    return join(this.folder, name)
  }

  peer(name: string): ChildPeer {
    const peer = this.#peers.get(name)
    if (peer === undefined) throw new RangeError(`no peer ${name} was started`)
    return peer
  }

  /** Starts all peers; resolves when each says that it is ready. */
  async start(signal: AbortSignal): Promise<void> {
    const { plan } = this.#init
    await this.#prepare('cloud', 'cloud', { llm: plan.llm, dpm: plan.dpm })
    for (const { name, slm } of plan.devices)
      await this.#prepare(name, 'device', { slm, dpm: plan.dpm })
    await Promise.all(this.peers.map((peer) => peer.ready(signal)))
  }

  /** Starts a peer again that has ended: in the same home, with the same configuration. */
  restart(name: string): ChildPeer {
    const role = name === 'cloud' ? 'cloud' : 'daemon'
    const home = this.homeOf(name)
    const peer = new ChildPeer({
      name,
      home,
      command: this.#init.command,
      args: [role, '--home', home, '--stop-with-parent'],
      env: { COTUNE_HOME: home },
    })
    this.#peers.set(name, peer)
    return peer
  }

  async stop(): Promise<void> {
    await Promise.all(this.peers.map((peer) => peer.stop()))
    if (this.#init.keep !== true) await rm(this.folder, { recursive: true, force: true })
  }

  /** The same at once, for the last moments of this process. */
  stopNow(): void {
    for (const peer of this.peers) void peer.kill()
    if (this.#init.keep !== true) rmSync(this.folder, { recursive: true, force: true })
  }

  async #prepare(name: string, role: Role, models: InitialConfig['models']): Promise<void> {
    const home = this.homeOf(name)
    const { threads, seed } = this.#init.plan
    await mkdir(home, { mode: 0o700 })
    const text = renderConfig(role, {
      name,
      // A device may take any port each time; the cloud peer must be found again after a restart.
      listen: [`/ip4/127.0.0.1/tcp/${role === 'cloud' ? await freePort() : 0}`],
      models,
      engine: { threads: threads[role] },
      // The cloud peer's order of training comes from the id of the run.
      ...(role === 'device' ? { seed: String(seed) } : {}),
    })
    await writeFile(configPath(home), text, { mode: 0o600 })
    this.restart(name)
  }
}

/** A port that nobody listens on; somebody could take it before it is used, which then is an error of its own. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
