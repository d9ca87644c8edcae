import { basename } from 'node:path'
import { type Clock, type EventLog, type LoopMonitor, packageVersion } from '#base'
import type {
  DevicePhase,
  ModelInfo,
  PeerEvent,
  PeerInfo,
  PeerState,
  RoundInfo,
  Status,
} from '#protocols/api'
import type { Identity } from '#protocols/mesh'
import type { DaemonConfig } from './config.ts'
import type { Live } from './live.ts'
import type { RunSession } from './mesh/run-session.ts'
import type { DeviceStore } from './store/device-store.ts'
import type { RoundRow } from './store/round-store.ts'
import type { Tuner } from './tuner.ts'

export interface StatusComponents {
  readonly config: DaemonConfig
  readonly identity: Identity
  readonly store: DeviceStore
  readonly tuner: Tuner
  readonly session: RunSession
  readonly live: Live
  readonly events: EventLog<PeerEvent>
  readonly loop: LoopMonitor
  readonly clock: Clock
  readonly startedAt: number
}

/** Builds what screens and commands read, from rows and the moment. */
export class StatusBoard {
  readonly #components: StatusComponents

  constructor(components: StatusComponents) {
    this.#components = components
  }

  read(): Status {
    const { config, identity, store, session, live, events, startedAt } = this.#components
    const run = store.membership.read()
    const rounds = this.rounds()
    const traffic = session.mesh?.traffic()
    return {
      schema: 'cotune.status/1',
      role: 'device',
      name: config.name,
      peerId: identity.peerId,
      runId: run?.runId ?? null,
      version: packageVersion(),
      startedAt,
      addresses: session.mesh?.addresses() ?? [],
      sequence: events.since(0).at(-1)?.sequence ?? 0,
      engine: this.#components.tuner.engine,
      models: this.#models(),
      peers: this.peers(),
      round: rounds[0] ?? null,
      history: rounds.slice(1),
      datasets: store.examples.datasets(),
      ledger: store.ledger.list(100),
      alerts: live.alerts,
      dpmVersion: run ? store.versions.judged(run.runId) : 0,
      bytesUp: traffic?.up ?? 0,
      bytesDown: traffic?.down ?? 0,
      loopDelayMs: this.#components.loop.worstMs,
      ready: true,
    }
  }

  /** Newest first. */
  rounds(): readonly RoundInfo[] {
    return this.#components.store.rounds.list().map((row) => this.round(row))
  }

  round(row: RoundRow): RoundInfo {
    const { config, identity } = this.#components
    const isOver = row.phase === 'closed' || row.finishedAt !== null
    return {
      round: row.round,
      rounds: row.rounds,
      phase: isOver ? 'published' : 'collecting',
      quorum: row.quorum,
      openedAt: row.openedAt,
      deadline: row.deadline,
      participants: [
        {
          id: identity.peerId,
          name: config.name,
          phase: this.#phase(row),
          bytes: row.sealedBytes ?? 0,
          reason: row.reason,
        },
      ],
      reason: row.reason,
      energyDropped: null,
      finishedAt: row.finishedAt,
    }
  }

  /** This device, the cloud peer, and the neighbours it is connected to. */
  peers(): readonly PeerInfo[] {
    const { session, store } = this.#components
    const cloudId = store.membership.read()?.cloudId
    const neighbours = (session.mesh?.links() ?? []).filter(
      ({ member, peerId }) => member && peerId !== cloudId,
    )
    return [
      this.self(),
      ...(cloudId === undefined ? [] : [this.peer(cloudId)]),
      ...neighbours.map(({ peerId }) => this.peer(peerId)),
    ]
  }

  self(): PeerInfo {
    const { config, identity, store, live, session, clock } = this.#components
    const traffic = session.mesh?.traffic()
    const [row] = store.rounds.list(1)
    const { step, loss } = live.activity
    return {
      id: identity.peerId,
      name: config.name,
      role: 'device',
      state: this.#state(row),
      reason: live.alerts[0] ? `${live.alerts[0].text}; ${live.alerts[0].hint}` : '',
      connected: true,
      rttMs: null,
      round: row?.round ?? null,
      step,
      loss,
      bytesUp: traffic?.up ?? 0,
      bytesDown: traffic?.down ?? 0,
      lastSeen: clock.now(),
    }
  }

  /** Another peer, as far as a device knows. */
  peer(peerId: string): PeerInfo {
    const { session, store, clock } = this.#components
    const isCloud = peerId === store.membership.read()?.cloudId
    const link = session.mesh?.links().find((each) => each.peerId === peerId)
    const traffic = session.mesh?.traffic().peers[peerId]
    const known = session.directory?.get(peerId)?.membership.name
    return {
      id: peerId,
      name: known ?? (isCloud ? 'cloud' : peerId.slice(-8)),
      role: isCloud ? 'cloud' : 'device',
      state: link ? 'idle' : 'down',
      reason: link ? '' : 'not connected; it is dialled again by itself',
      connected: link !== undefined,
      rttMs: link?.rttMs ?? null,
      round: null,
      step: null,
      loss: null,
      bytesUp: traffic?.up ?? 0,
      bytesDown: traffic?.down ?? 0,
      lastSeen: link ? clock.now() : null,
    }
  }

  #models(): readonly ModelInfo[] {
    const { tuner, config } = this.#components
    const { slm, dpm } = tuner.describe()
    return [
      { ...slm, role: 'slm', name: basename(config.models.slm) },
      { ...dpm, role: 'dpm', name: basename(config.models.dpm) },
    ]
  }

  #state(row: RoundRow | undefined): PeerState {
    const { phase, step } = this.#components.live.activity
    if (step !== null && phase !== 'evaluating') return 'training'
    if (row?.phase === 'tuned' || row?.phase === 'offered') return 'syncing'
    return row?.phase === 'received' ? 'waiting' : 'idle'
  }

  #phase(row: RoundRow): DevicePhase {
    const { phase } = this.#components.live.activity
    if (row.phase === 'open') return phase === 'dst' || phase === 'saml' ? phase : 'idle'
    if (row.phase === 'closed') return row.examples === null ? 'idle' : 'received'
    return row.phase
  }
}
