import type { CotuneError, EventLog } from '#base'
import type { Alert, PeerEvent } from '#protocols/api'
import type { MeshEvent } from '#protocols/mesh'
import type { Live } from './live.ts'
import type { RoundObserver } from './rounds/round-runner.ts'
import type { StatusBoard } from './status.ts'

/** Codes of alerts that are about a state and not about one error. */
const NO_EXAMPLES = 'DATA_NONE'
const CLOUD_AWAY = 'CLOUD_UNREACHABLE'
const ROLLED_BACK = 'VERSION_ROLLED_BACK'

export interface ObserverComponents {
  readonly events: EventLog<PeerEvent>
  readonly live: Live
  /** Made later than the services that are observed. */
  readonly board: () => StatusBoard
}

/** Turns what the round runner does into events and alerts. */
export function observeRounds({ events, live, board }: ObserverComponents): RoundObserver {
  let trouble: CotuneError | undefined
  const tellSelf = () => events.emit({ type: 'peer', peer: board().self() })
  return {
    onRound: (row) => {
      live.idle()
      live.clear(NO_EXAMPLES)
      events.emit({ type: 'round', round: board().round(row) })
      tellSelf()
    },
    onProgress: (row) => (progress) => {
      const before = live.activity.phase
      live.progress(progress, row.round)
      if (live.activity.phase === before) return
      events.emit({ type: 'round', round: board().round(row) })
      tellSelf()
    },
    onVersion: ({ version, kept = false, reason }, scores) => {
      live.idle()
      if (kept) live.clear(ROLLED_BACK)
      else live.raise(rolledBack(version, reason))
      events.emit({ type: 'version', version, kept, reason })
      if (scores)
        events.emit({ type: 'scores', model: 'dpm', label: 'cotuned', round: version, scores })
      events.emit({
        type: 'log',
        level: 'info',
        component: 'versions',
        message: `version ${version}: ${reason}`,
      })
    },
    onJudging: () => live.evaluating(),
    onLedger: (entry) => events.emit({ type: 'ledger', entry }),
    onWaiting: (why) => {
      if (why !== 'no-examples') return
      live.raise({
        code: NO_EXAMPLES,
        severity: 'warning',
        text: 'a round is open and there are no rows to train on',
        hint: 'import some: cotune data import FILE --name NAME',
      })
    },
    onTrouble: (error) => {
      if (trouble && trouble.code !== error?.code) live.clear(trouble.code)
      trouble = error
      if (!error) return
      live.idle()
      live.raise({ code: error.code, severity: 'error', text: error.message, hint: error.hint })
    },
  }
}

function rolledBack(version: number, reason: string): Omit<Alert, 'since'> {
  return {
    code: ROLLED_BACK,
    severity: 'warning',
    text: `version ${version} is not used for answers: ${reason}`,
    hint: 'the one before answers; the next version is judged anew',
  }
}

/** Turns what the mesh does into events and alerts. */
export function observeMesh(
  { events, live, board }: ObserverComponents,
  cloudId: () => string | undefined,
): (event: MeshEvent) => void {
  return (event) => {
    if (event.type === 'refused') {
      const message = `${event.what} of ${event.peerId} refused: ${event.code}`
      events.emit({ type: 'log', level: 'warn', component: 'mesh', message })
      return
    }
    if (event.type === 'connected' && event.peerId === cloudId()) live.clear(CLOUD_AWAY)
    if (event.type === 'dial-failed' && event.peerId === cloudId()) {
      live.raise({
        code: CLOUD_AWAY,
        severity: 'warning',
        text: 'the cloud peer cannot be reached',
        hint: 'it is dialled again by itself; check that it runs and that the network is up',
      })
    }
    if (event.type !== 'dial-failed')
      events.emit({ type: 'peer', peer: board().peer(event.peerId) })
  }
}
