import { type EventLog, type LoopMonitor, packageVersion } from '#base'
import type { EngineInfo } from '#engine'
import type { Alert, Health, ModelInfo, PeerEvent, Status } from '#protocols/api'
import type { MeshNode } from '#protocols/mesh'
import type { Alerts } from '../status/alerts.ts'
import type { PeerBoard } from '../status/peer-board.ts'
import type { RoundView } from '../status/round-view.ts'
import type { CloudStore } from '../store/cloud-store.ts'

export interface StatusComponents {
  readonly store: CloudStore
  readonly mesh: Pick<MeshNode, 'peerId' | 'addresses' | 'traffic'>
  readonly engine: EngineInfo
  readonly models: readonly ModelInfo[]
  readonly board: PeerBoard
  readonly view: RoundView
  readonly alerts: Alerts
  readonly events: EventLog<PeerEvent>
  readonly loop: LoopMonitor
}

export interface StatusInit {
  readonly name: string
  readonly startedAt: number
  readonly ready: boolean
}

/** All there is to see of a cloud peer, at one moment. */
export function readStatus(components: StatusComponents, init: StatusInit): Status {
  const { store, mesh, engine, models, board, view, alerts, events, loop } = components
  const traffic = mesh.traffic()
  return {
    schema: 'cotune.status/1',
    role: 'cloud',
    name: init.name,
    peerId: mesh.peerId,
    runId: store.run.get().id,
    version: packageVersion(),
    startedAt: init.startedAt,
    addresses: init.ready ? mesh.addresses() : [],
    sequence: events.since(0).at(-1)?.sequence ?? 0,
    engine,
    models,
    peers: board.all(),
    round: view.current(),
    history: view.history(),
    datasets: store.examples.datasets(),
    // No data of a person ever comes here, so none can leave.
    ledger: [],
    alerts: alerts.all(),
    dpmVersion: store.versions.latest()?.version ?? 0,
    bytesUp: traffic.up,
    bytesDown: traffic.down,
    loopDelayMs: loop.worstMs,
    ready: init.ready,
  }
}

/** Live while it answers at all; ready once all has started and nothing is in the way of rounds. */
export function readHealth(started: boolean, alerts: readonly Alert[]): Health {
  const failed = alerts.filter(({ severity }) => severity === 'error')
  const checks = [
    { name: 'started', ok: started, text: started ? '' : 'models and mesh are still coming up' },
    ...failed.map(({ code, text, hint }) => ({ name: code, ok: false, text: `${text}; ${hint}` })),
  ]
  return { live: true, ready: checks.every(({ ok }) => ok), checks }
}
