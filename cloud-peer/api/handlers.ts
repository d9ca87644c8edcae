import type { EventLog } from '#base'
import type { ApiHandlers, PeerEvent, StartRunRequest, Status } from '#protocols/api'
import type { CloudMembership } from '../membership.ts'
import { type ImportLimits, importPublicRows } from '../public-data.ts'
import type { RoundRunner } from '../rounds/round-runner.ts'
import type { Narrator } from '../status/narrator.ts'
import type { RoundView } from '../status/round-view.ts'
import type { CloudStore } from '../store/cloud-store.ts'
import type { RoundSettings } from '../store/run-row.ts'
import type { Scoring } from './scoring.ts'

export interface HandlerComponents {
  readonly store: CloudStore
  readonly membership: CloudMembership
  readonly runner: RoundRunner
  readonly scoring: Scoring
  readonly view: RoundView
  readonly narrator: Narrator
  readonly events: EventLog<PeerEvent>
}

export interface HandlerInit {
  readonly status: () => Status
  readonly roundSettings: RoundSettings
  readonly importLimits: ImportLimits
  /** Ends this process in order. */
  readonly requestStop: () => void
}

/** The routes that a cloud peer answers; the others belong to devices. */
export function createHandlers(
  components: HandlerComponents,
  init: HandlerInit,
): Partial<ApiHandlers> {
  const { store, membership, runner, scoring, view, narrator, events } = components
  return {
    'GET /v1/status': async () => init.status(),
    'GET /v1/rounds': async () => view.history(),
    'GET /v1/ledger': async () => [],
    'POST /v1/invites': async ({ name = '', ttlMs }) => membership.invite(name, ttlMs),
    'POST /v1/run': async (request) => {
      beginRun(store, request, init.roundSettings)
      return view.of(runner.begin())
    },
    'POST /v1/run/stop': async () => {
      store.run.pause()
      runner.nudge()
      return {}
    },
    'POST /v1/data': async (request) => {
      const report = await importPublicRows(store.examples, request, init.importLimits)
      const dataset = store.examples.datasets().find(({ name }) => name === request.name)
      if (dataset && !report.dryRun) events.emit({ type: 'dataset', dataset })
      narrator.publicData(store.examples.count())
      return report
    },
    'POST /v1/evaluate': (request, { signal }) => scoring.evaluate(request, signal),
    'POST /v1/chat': (request, { emit, signal }) => scoring.chat(request, emit, signal),
    'POST /v1/shutdown': async () => {
      // After the answer is on its way.
      setImmediate(init.requestStop)
      return {}
    },
  }
}

/** Asks for as many rounds more than are published. */
function beginRun(store: CloudStore, request: StartRunRequest, defaults: RoundSettings): void {
  const published = store.versions.latest()?.version ?? 0
  store.run.begin(published + request.rounds, {
    strategy: defaults.strategy,
    quorum: request.quorum ?? defaults.quorum,
    deadlineMs: request.deadlineMs ?? defaults.deadlineMs,
  })
}
