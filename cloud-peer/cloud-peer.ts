import type { Startable } from '#base'
import { startAll, stopAll } from '#base'

/** A running cloud peer: its services, started in order and stopped last first. */
export class CloudPeer implements Startable {
  readonly peerId: string
  readonly #services: readonly Startable[]
  #started = false

  constructor(peerId: string, services: readonly Startable[]) {
    this.peerId = peerId
    this.#services = services
  }

  /** Whether everything has started. */
  get ready(): boolean {
    return this.#started
  }

  /** @throws CotuneError API_* when another process serves this home, MESH_LISTEN, SEAL_KEY_UNREADABLE */
  async start(): Promise<void> {
    if (this.#started) return
    await startAll(this.#services)
    this.#started = true
  }

  async stop(): Promise<void> {
    this.#started = false
    await stopAll(this.#services)
  }
}
