import { join } from 'node:path'
import {
  type Clock,
  CotuneError,
  EXIT,
  type Logger,
  type Startable,
  sha256Hex,
  startAll,
  stopAll,
  utf8,
} from '#base'
import type { LedgerEntry } from '#protocols/api'
import {
  type Invite,
  joinRun,
  MemberDirectory,
  parseInvite,
  serveMembers,
} from '#protocols/membership'
import { type Identity, type MeshEvent, MeshNode } from '#protocols/mesh'
import { Announcements, StateSync } from '#protocols/rounds'
import { BlobExchange, FileBlobStore } from '#protocols/transfer'
import type { Precision } from '#protocols/update'
import type { Learner } from '../learner.ts'
import { RoundRunner, type RoundRunnerInit } from '../rounds/round-runner.ts'
import type { DeviceStore } from '../store/device-store.ts'
import type { JoinedRun } from '../store/membership-store.ts'
import { MeshLink } from './mesh-link.ts'

export interface RunSessionComponents {
  readonly identity: Identity
  readonly store: DeviceStore
  readonly learner: Learner
  readonly clock: Clock
  readonly logger: Logger
}

export interface RunSessionInit {
  readonly name: string
  readonly home: string
  readonly listen: readonly string[]
  readonly announce: readonly string[]
  readonly precision: Precision
  readonly rounds: RoundRunnerInit
  readonly onMesh: (event: MeshEvent) => void
  readonly onLedger: (entry: LedgerEntry) => void
}

/** What lives while this device belongs to a run. */
interface Running {
  readonly mesh: MeshNode
  readonly directory: MemberDirectory
  readonly link: MeshLink
  readonly runner: RoundRunner
  readonly sync: StateSync
  readonly services: readonly Startable[]
}

/** What gossip loses is found out this late; a question and its answer are a few hundred bytes. */
const ASK_EVERY_MS = 5_000

/** Enough neighbours to get a version from when the cloud peer is away. */
const MAX_NEIGHBOURS = 6

/** This device's membership of a run: none yet, or a mesh node, the exchange with the cloud peer and the round runner. */
export class RunSession implements Startable {
  readonly #components: RunSessionComponents
  readonly #init: RunSessionInit
  #running: Running | undefined
  #joining: Promise<unknown> | undefined

  constructor(components: RunSessionComponents, init: RunSessionInit) {
    this.#components = components
    this.#init = init
  }

  get mesh(): MeshNode | undefined {
    return this.#running?.mesh
  }

  get directory(): MemberDirectory | undefined {
    return this.#running?.directory
  }

  /** Takes up the run that was joined before, if any. @throws CotuneError `MESH_LISTEN` */
  async start(): Promise<void> {
    const run = this.#components.store.membership.read()
    if (!run || this.#running) return
    const { mesh, directory } = this.#createMesh(run.runId, run.cloudId)
    directory.add(run.record)
    await mesh.start()
    await this.#takePart(mesh, directory, run)
  }

  async stop(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    if (running) await stopAll(running.services)
  }

  /** Rows were imported: a waiting round may begin. */
  nudge(): void {
    this.#running?.runner.nudge()
  }

  /**
   * Joins the run of an invite, durably. Repeating it with an invite of the same run does nothing.
   *
   * @throws CotuneError `INVITE_*`, `JOIN_REFUSED`, `JOIN_ANOTHER_RUN`, `JOIN_WRONG_MODEL`, `JOIN_UNDER_WAY`, `MESH_UNREACHABLE`
   */
  async join(
    text: string,
    signal: AbortSignal,
  ): Promise<{ readonly runId: string; readonly cloudId: string }> {
    const invite = parseInvite(text, this.#components.clock.now())
    const { runId, cloudPeerId: cloudId } = invite
    const known = this.#components.store.membership.read()
    if (known && known.runId !== runId) throw anotherRun(known.runId)
    if (known) return { runId, cloudId }
    if (this.#joining !== undefined) throw underWay()
    this.#joining = this.#join(invite, signal)
    try {
      await this.#joining
    } finally {
      this.#joining = undefined
    }
    return { runId, cloudId }
  }

  async #join(invite: Invite, signal: AbortSignal): Promise<void> {
    const { runId, cloudPeerId: cloudId, addresses } = invite
    const { store } = this.#components
    const { mesh, directory } = this.#createMesh(runId, cloudId)
    await mesh.start()
    try {
      this.#noteJoin(cloudId)
      const { membership, record } = await joinRun(mesh, invite, { name: this.#init.name, signal })
      if (membership.dpmDigest !== this.#init.rounds.baseDigest) {
        throw wrongModel(membership.dpmDigest, this.#init.rounds.baseDigest)
      }
      directory.add(record)
      store.membership.write({ runId, cloudId, record, addresses })
    } catch (error) {
      await mesh.stop()
      throw error
    }
    await this.#takePart(mesh, directory, { runId, cloudId, addresses })
  }

  #createMesh(runId: string, cloudPeerId: string) {
    const { identity, clock } = this.#components
    const directory = new MemberDirectory({ runId, cloudPeerId })
    const mesh = new MeshNode(
      { identity, clock },
      {
        runId,
        isMember: (peerId) => directory.isMember(peerId),
        listen: this.#init.listen,
        announce: this.#init.announce,
        onEvent: (event) => this.#onMesh(event),
      },
    )
    return { mesh, directory }
  }

  /** Lists what runs on a mesh node that has started. */
  async #takePart(
    mesh: MeshNode,
    directory: MemberDirectory,
    run: Pick<JoinedRun, 'runId' | 'cloudId' | 'addresses'>,
  ): Promise<void> {
    const { identity, store, learner, clock, logger } = this.#components
    const blobs = new FileBlobStore(join(this.#init.home, 'transfer'))
    const exchange = new BlobExchange({ mesh, store: blobs, clock })
    const announcements = new Announcements(
      { mesh, identity, clock },
      {
        runId: run.runId,
        cloudPeerId: run.cloudId,
        isMember: (peerId) => directory.isMember(peerId),
        onAnnouncement: (announcement) => link.take(announcement),
      },
    )
    const link = new MeshLink(
      { mesh, identity, directory, exchange, blobs, announcements },
      {
        precision: this.#init.precision,
        open: store.rounds.underWay(run.runId),
        onAskSoon: () => sync.trigger(),
      },
    )
    const sync = new StateSync({
      ask: async (signal) => {
        await link.ask(signal)
        this.#keepNeighbours(mesh, directory)
      },
      onFailure: (error) => logger.debug({ err: error }, 'the cloud peer did not answer'),
      intervalMs: ASK_EVERY_MS,
      clock,
    })
    // Deadlines are the cloud peer's time, which may not be ours.
    const cloudClock = { now: () => announcements.now(), sleep: clock.sleep }
    const runner = new RoundRunner(
      { store, learner, link, clock: cloudClock, logger },
      this.#init.rounds,
    )
    const services = [mesh, sync, runner]
    this.#running = { mesh, directory, link, runner, sync, services }
    await exchange.serve()
    await serveMembers(mesh, directory)
    announcements.listen()
    await startAll(services)
    mesh.keep(run.cloudId, run.addresses)
  }

  #keepNeighbours(mesh: MeshNode, directory: MemberDirectory): void {
    const others = directory
      .list()
      .filter(
        ({ membership, addresses }) => membership.peerId !== mesh.peerId && addresses.length > 0,
      )
    for (const { membership, addresses } of others.slice(0, MAX_NEIGHBOURS)) {
      if (!mesh.kept().includes(membership.peerId)) mesh.keep(membership.peerId, addresses)
    }
  }

  #onMesh(event: MeshEvent): void {
    this.#init.onMesh(event)
    const link = this.#running?.link
    if (event.type !== 'connected' && event.type !== 'disconnected') return
    if (event.type === 'connected' && event.peerId === link?.cloudId) this.#running?.sync.trigger()
    link?.changed()
  }

  #noteJoin(cloudId: string): void {
    const name = utf8(this.#init.name)
    const entry: LedgerEntry = {
      at: this.#components.clock.now(),
      to: cloudId,
      kind: 'join',
      round: null,
      bytes: name.length,
      sha256: sha256Hex(name),
      sealed: false,
    }
    this.#components.store.ledger.append(entry)
    this.#init.onLedger(entry)
  }
}

function anotherRun(runId: string): CotuneError {
  return new CotuneError('JOIN_ANOTHER_RUN', `this device belongs to the run ${runId} already`, {
    hint: 'a device takes part in one run; use another home for another run: --home DIR',
    exit: EXIT.refused,
    data: { runId },
  })
}

function underWay(): CotuneError {
  return new CotuneError('JOIN_UNDER_WAY', 'this device is joining already', {
    hint: 'wait for it to end, then try again',
    exit: EXIT.refused,
  })
}

function wrongModel(theirs: string, ours: string): CotuneError {
  const [expected, found] = [theirs, ours].map((digest) => digest.slice(0, 12))
  return new CotuneError(
    'JOIN_WRONG_MODEL',
    `the run uses the proxy model ${expected}, this device has ${found}`,
    {
      hint: 'copy the proxy model (models.dpm) from the cloud peer: it must be the same bit for bit',
      exit: EXIT.config,
      data: { expected: theirs, found: ours },
    },
  )
}
