import { CotuneError, type EventLog, EXIT } from '#base'
import type { ApiHandlers, PeerEvent } from '#protocols/api'
import type { DaemonConfig } from './config.ts'
import { importData } from './import-data.ts'
import type { Learner } from './learner.ts'
import type { Live } from './live.ts'
import type { RunSession } from './mesh/run-session.ts'
import type { StatusBoard } from './status.ts'
import type { DeviceStore } from './store/device-store.ts'

export interface HandlerComponents {
  readonly config: DaemonConfig
  readonly store: DeviceStore
  readonly learner: Learner
  readonly session: RunSession
  readonly board: StatusBoard
  readonly live: Live
  readonly events: EventLog<PeerEvent>
  /** Asks whoever runs the daemon to stop it. */
  readonly requestStop: () => void
}

/** A device's routes of the local API. */
export function deviceHandlers(components: HandlerComponents): Partial<ApiHandlers> {
  const { config, store, learner, session, board, live, events, requestStop } = components
  const onProgress = (progress: Parameters<Live['progress']>[0]) => live.progress(progress, null)

  return {
    'GET /v1/status': async () => board.read(),
    'GET /v1/rounds': async () => board.rounds(),
    'GET /v1/ledger': async () => store.ledger.list(),
    'POST /v1/join': async ({ invite }, { signal }) => session.join(invite, signal),
    'POST /v1/data': async (request) => {
      const { report, dataset } = await importData(store.examples, request, config.import)
      if (dataset) events.emit({ type: 'dataset', dataset })
      session.nudge()
      return report
    },
    'POST /v1/evaluate': async (request, { signal }) => {
      const { model, label } = request
      const job = learner.evaluate(request, onProgress, signal)
      const scores = await job.finally(() => live.idle())
      const { em, rougeL, perplexityPerByte } = scores
      const name = `${model}.${label}`
      store.metrics.add(
        { [`${name}.em`]: em, [`${name}.rougeL`]: rougeL, [`${name}.ppb`]: perplexityPerByte },
        undefined,
      )
      events.emit({ type: 'scores', model, label, round: null, scores })
      return scores
    },
    'POST /v1/baseline': async ({ rounds }, { signal }) => {
      const job = learner.baseline(rounds, onProgress, signal)
      return { steps: await job.finally(() => live.idle()) }
    },
    'POST /v1/rollback': async ({ version }) => {
      const runId = store.membership.read()?.runId ?? ''
      const isKnown = version === 0 || store.versions.find(runId, version) !== undefined
      if (!isKnown) throw unknownVersion(version)
      const reason = 'rolled back by the owner'
      store.versions.rollBack(runId, version, reason)
      events.emit({ type: 'version', version, kept: true, reason })
      return { version }
    },
    'POST /v1/chat': async (request, { emit, signal }) => {
      const text = await learner.answer(request, emit, signal)
      const version = store.versions.current(store.membership.read()?.runId ?? '')?.version ?? 0
      const model = request.model ?? 'slm'
      return { text, model: model === 'dpm' ? `dpm@v${version}` : model }
    },
    'POST /v1/shutdown': async () => {
      requestStop()
      return {}
    },
  }
}

function unknownVersion(version: number): CotuneError {
  return new CotuneError('VERSION_UNKNOWN', `version ${version} is not on this device`, {
    hint: 'cotune status lists the versions; 0 is the proxy model as it came',
    exit: EXIT.usage,
    data: { version },
  })
}
