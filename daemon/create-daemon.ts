import { join } from 'node:path'
import {
  type Clock,
  createLogger,
  EventLog,
  JobQueue,
  type Logger,
  LoopMonitor,
  type Startable,
  startAll,
  stopAll,
  systemClock,
} from '#base'
import { HostedDeviceTuner } from '#learning/worker'
import {
  controlSocketPath,
  createApiServer,
  engineAlert,
  type Health,
  type PeerEvent,
} from '#protocols/api'
import { loadIdentity } from '#protocols/mesh'
import type { DaemonConfig } from './config.ts'
import { deviceHandlers } from './handlers.ts'
import { Learner } from './learner.ts'
import { Live } from './live.ts'
import { RunSession } from './mesh/run-session.ts'
import { observeMesh, observeRounds } from './observers.ts'
import { StatusBoard } from './status.ts'
import { type DeviceStore, openDeviceStore } from './store/device-store.ts'
import type { Tuner } from './tuner.ts'

export interface DaemonComponents {
  readonly clock?: Clock
  readonly logger?: Logger
  /** Loads the models; a DeviceTuner in a worker thread unless told. */
  readonly createTuner?: (config: DaemonConfig) => Promise<Tuner>
}

export interface Daemon extends Startable {
  /** Everything that happens on this device. */
  readonly events: EventLog<PeerEvent>
  /** Resolves when somebody asked over the local API that the daemon stop; who runs it then calls `stop`. */
  readonly stopRequested: Promise<void>
}

/** The longest that a stop waits for work to reach a point where it can be left. */
const STOP_TIMEOUT_MS = 25_000

/** A device: the composition root. It lists what there is; each part does its own work. */
export function createDaemon(config: DaemonConfig, components: DaemonComponents = {}): Daemon {
  const clock = components.clock ?? systemClock
  const logger = components.logger ?? createLogger({ name: config.name })
  const createTuner = components.createTuner ?? loadTuner
  const events = new EventLog<PeerEvent>({ now: () => clock.now() })
  const stop = Promise.withResolvers<void>()
  let running: { readonly services: readonly Startable[]; readonly close: () => void } | undefined

  const compose = async (store: DeviceStore): Promise<readonly Startable[]> => {
    const startedAt = clock.now()
    const identity = await loadIdentity(join(config.home, 'identity.key'))
    const tuner = await createTuner(config)
    const jobs = new JobQueue()
    const live = new Live(events, clock)
    const loop = new LoopMonitor()
    logger.info({ ...tuner.engine }, `learning runs on ${tuner.engine.provider}`)
    const alert = engineAlert(tuner.engine)
    if (alert) live.raise(alert)
    const learner = new Learner({ store, tuner, jobs }, { seed: config.seed })
    const observed = { events, live, board: () => board }
    const observer = observeRounds(observed)
    const session: RunSession = new RunSession(
      { identity, store, learner, clock, logger },
      {
        name: config.name,
        home: config.home,
        listen: config.listen,
        announce: config.announce,
        precision: config.updates.precision,
        rounds: { ...observer, baseDigest: tuner.dpmDigest, versions: config.versions },
        onMesh: observeMesh(observed, () => store.membership.read()?.cloudId),
        onLedger: observer.onLedger,
      },
    )
    const board: StatusBoard = new StatusBoard({
      config,
      identity,
      store,
      tuner,
      session,
      live,
      events,
      loop,
      clock,
      startedAt,
    })
    const api = createApiServer({
      socketPath: controlSocketPath(config.home),
      role: 'device',
      handlers: deviceHandlers({
        config,
        store,
        learner,
        session,
        board,
        live,
        events,
        requestStop: stop.resolve,
      }),
      events,
      health: () => readHealth(session),
      onFailure: (route, error) => logger.warn({ route, err: error }, 'request failed'),
    })
    const models: Startable = { start: async () => undefined, stop: () => tuner.close() }
    // The socket is also the lock of the home, so nothing is swept before it is ours.
    const sweeper: Startable = { start: () => sweep(store, logger), stop: async () => undefined }
    // Stopped in reverse: those who ask for work end first, then the work itself, then the models.
    return [models, loop, jobs, api, sweeper, session]
  }

  return {
    events,
    stopRequested: stop.promise,
    start: async () => {
      if (running) return
      const store = openDeviceStore(config.home, clock)
      try {
        const services = await compose(store)
        await startAll(services)
        running = { services, close: () => store.close() }
        logger.info({ home: config.home }, 'the device is ready')
      } catch (error) {
        store.close()
        throw error
      }
    },
    stop: async () => {
      const { services, close } = running ?? { services: [], close: () => undefined }
      running = undefined
      const patience = new AbortController()
      const waited = clock.sleep(STOP_TIMEOUT_MS, patience.signal).catch(() => undefined)
      await Promise.race([stopAll(services), waited])
      patience.abort()
      close()
    },
  }
}

function loadTuner({ models, engine, tuning }: DaemonConfig): Promise<Tuner> {
  return HostedDeviceTuner.create({ ...models, engine, settings: tuning })
}

async function sweep(store: DeviceStore, logger: Logger): Promise<void> {
  const removed = await store.blobs.sweep([...store.settings.blobs()])
  if (removed > 0) logger.info({ removed }, 'removed files that nothing refers to')
}

function readHealth(session: RunSession): Health {
  const isListening = (session.mesh?.addresses().length ?? 0) > 0
  const text = session.mesh ? 'not listening yet' : 'no run joined yet: cotune join INVITE'
  return {
    live: true,
    ready: true,
    checks: [{ name: 'mesh', ok: isListening, text: isListening ? '' : text }],
  }
}
