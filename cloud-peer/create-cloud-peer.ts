import { join } from 'node:path'
import {
  type Clock,
  CotuneError,
  createLogger,
  EventLog,
  EXIT,
  JobQueue,
  type Logger,
  LoopMonitor,
  type Startable,
  startAll,
  systemClock,
} from '#base'
import { controlSocketPath, createApiServer, engineAlert, type PeerEvent } from '#protocols/api'
import { loadIdentity, MeshNode } from '#protocols/mesh'
import { BlobExchange } from '#protocols/transfer'
import { createHandlers } from './api/handlers.ts'
import { Scoring } from './api/scoring.ts'
import { readHealth, readStatus } from './api/status.ts'
import { CloudPeer } from './cloud-peer.ts'
import type { CloudConfig } from './config.ts'
import { loadTuner } from './load-tuner.ts'
import { CloudMembership, createDirectory } from './membership.ts'
import { Reactions } from './reactions.ts'
import { packVersionBlob } from './rounds/pack-version.ts'
import { RoundRunner } from './rounds/round-runner.ts'
import { RoundWire } from './rounds/round-wire.ts'
import { UpdateIntake } from './rounds/update-intake.ts'
import { UpdateVault } from './rounds/update-vault.ts'
import { SealingKeys } from './sealing-keys.ts'
import { Alerts } from './status/alerts.ts'
import { modelInfos } from './status/model-infos.ts'
import { Narrator } from './status/narrator.ts'
import { PeerBoard } from './status/peer-board.ts'
import { RoundView } from './status/round-view.ts'
import { type CloudStore, openCloudStore } from './store/cloud-store.ts'
import type { Tuner } from './tuner.ts'

export interface CloudPeerInit {
  readonly config: CloudConfig
  readonly logger?: Logger
  readonly clock?: Clock
  /** Called when somebody asks over the local API that it stop. */
  readonly requestStop?: () => void
  /** Loads the models; a CloudTuner in a worker thread unless told. */
  readonly createTuner?: (config: CloudConfig) => Promise<Tuner>
}

/**
 * Puts a cloud peer together: what each service needs, and the order in which they start. Nothing listens before `start`.
 *
 * @throws CotuneError of the models, the identity or the database; RUN_OTHER_BASE when the run belongs to another proxy model
 */
export async function createCloudPeer(init: CloudPeerInit): Promise<CloudPeer> {
  const { config, clock = systemClock } = init
  const logger = init.logger ?? createLogger({ name: 'cloud' })
  const startedAt = clock.now()
  const identity = await loadIdentity(join(config.home, 'identity.key'))
  const tuner = await (init.createTuner ?? loadTuner)(config)
  const store = openCloudStore(config.home, clock)
  const run = store.run.open(config.rounds)
  checkBase(store, tuner)

  const events = new EventLog<PeerEvent>()
  const jobs = new JobQueue()
  const loop = new LoopMonitor()
  const directory = createDirectory(store, identity, run.id)
  const keys = new SealingKeys(
    { epochs: store.keys, clock },
    { folder: join(config.home, 'keys'), epochMs: config.keyEpochMs },
  )
  const { maxUpdateBytes } = config.rounds
  const sealing = () => ({ sealingKey: keys.current().publicKey, maxUpdateBytes })

  const mesh = new MeshNode(
    { identity, clock },
    {
      runId: run.id,
      isMember: (peerId) => directory.isMember(peerId),
      listen: config.listen,
      announce: config.announce,
      onEvent: (event) => reactions.mesh(event),
    },
  )
  const membership = new CloudMembership(
    { store, identity, mesh, directory, keys, dpmDigest: () => tuner.dpmDigest, clock },
    { onJoined: ({ peerId }) => reactions.joined(peerId) },
  )
  const exchange = new BlobExchange({ mesh, store: store.blobs, clock })
  const board = new PeerBoard({ store, mesh, events, clock })
  const view = new RoundView({
    store,
    isAtWork: (peerId) => board.isAtWork(peerId),
    isOnline: (peerId) => board.isOnline(peerId),
  })
  const alerts = new Alerts(events, clock)
  logger.info({ ...tuner.engine }, `learning runs on ${tuner.engine.provider}`)
  const alert = engineAlert(tuner.engine)
  if (alert) alerts.raise(alert)
  const narrator = new Narrator({ store, events, view, alerts, clock, logger })

  const vault = new UpdateVault({ store, keys, clock }, config.rounds)
  const holders = (device: string) => [device, ...board.online().filter((id) => id !== device)]
  const intake = new UpdateIntake(
    { store, exchange, vault, tuner, holders, clock, logger },
    { onChange: (contribution) => reactions.contribution(contribution) },
  )
  const wire = new RoundWire({
    store,
    mesh,
    identity,
    directory,
    exchange,
    intake,
    sealing,
    clock,
    logger,
  })
  const packing = { store, identity, baseDigest: tuner.dpmDigest, clock }
  const runner = new RoundRunner(
    {
      store,
      tuner,
      jobs,
      openUpdate: (contribution) => vault.read(contribution),
      packVersion: (content, round) => packVersionBlob(packing, content, round),
      sealing,
      online: () => board.online(),
      clock,
      logger,
    },
    {
      onRound: (row) => reactions.round(row),
      onProgress: (round, progress) => narrator.progress(round, progress),
      onTrouble: (error) => narrator.trouble(error),
    },
  )
  const reactions = new Reactions({ store, runner, wire, intake, keys, board, narrator, logger })

  const models = modelInfos(tuner, config)
  const { engine } = tuner
  const status = () =>
    readStatus(
      { store, mesh, engine, models, board, view, alerts, events, loop },
      { name: config.name, startedAt, ready: peer.ready },
    )
  const scoring = new Scoring({ store, tuner, jobs, narrator, events })
  const api = createApiServer({
    socketPath: controlSocketPath(config.home),
    role: 'cloud',
    handlers: createHandlers(
      { store, membership, runner, scoring, view, narrator, events },
      {
        status,
        roundSettings: config.rounds,
        importLimits: config.import,
        requestStop: init.requestStop ?? (() => undefined),
      },
    ),
    events,
    health: () => readHealth(peer.ready, alerts.all()),
    onFailure: (route, error) => logger.warn({ route, err: error }, 'a request failed'),
  })
  // The local API first: its socket is also what keeps a second process from serving the same home.
  const peer: CloudPeer = new CloudPeer(identity.peerId, [
    closing(() => store.close()),
    closing(() => tuner.close()),
    loop,
    api,
    keys,
    mesh,
    membership,
    wire,
    intake,
    together(runner, jobs),
    narrator,
  ])
  return peer
}

/** What only has to be closed, in its turn. */
function closing(close: () => void | Promise<void>): Startable {
  return { start: async () => undefined, stop: async () => close() }
}

/** Stopped at the same time: a runner waits for its job to end, and a queue tells jobs to end. */
function together(...services: readonly Startable[]): Startable {
  return {
    start: () => startAll(services),
    stop: async () => {
      await Promise.all(services.map((service) => service.stop()))
    },
  }
}

/** Adapters of one base are noise to another. */
function checkBase(store: CloudStore, tuner: Tuner): void {
  const version = store.versions.latest()
  if (!version || version.baseDigest === tuner.dpmDigest) return
  store.close()
  throw new CotuneError('RUN_OTHER_BASE', 'The proxy model is not the one this run began with.', {
    hint: 'Set models.dpm back to the folder of before, or begin a new run in a new home.',
    data: { expected: version.baseDigest, found: tuner.dpmDigest },
    exit: EXIT.config,
  })
}
