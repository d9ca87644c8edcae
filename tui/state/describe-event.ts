import type { PeerEvent } from '#protocols/api'
import { bytes, fixed } from '../drawing/format.ts'
import type { LogLevel } from './model.ts'

export interface Description {
  readonly level: LogLevel
  readonly component: string
  readonly message: string
}

/** The line that an event leaves in the log; null for those that would only flood it. */
export function describeEvent(event: PeerEvent): Description | null {
  switch (event.type) {
    case 'peer': {
      const { name, state, reason } = event.peer
      if (state !== 'down' && reason === '') return null
      return line('warn', 'peer', `${name} ${state}${reason === '' ? '' : `: ${reason}`}`)
    }
    case 'round': {
      const { round, rounds, phase, reason } = event.round
      const level = phase === 'aborted' ? 'error' : 'info'
      const why = reason === '' ? '' : `: ${reason}`
      return line(level, 'round', `round ${round} of ${rounds} ${phase}${why}`)
    }
    case 'progress':
      if (Number.isFinite(event.loss) || event.phase === 'evaluate') return null
      return line('error', 'train', `loss is no number at step ${event.step} of ${event.phase}`)
    case 'scores': {
      const { em, rougeL, examples } = event.scores
      const text = `${event.model} ${event.label}: EM ${fixed(em, 1)}, Rouge-L ${fixed(rougeL, 1)}`
      return line('info', 'evaluate', `${text} on ${examples} examples`)
    }
    case 'version':
      return event.kept
        ? line('info', 'model', `DPM version ${event.version} kept`)
        : line('warn', 'model', `DPM version ${event.version} rolled back: ${event.reason}`)
    case 'ledger': {
      const { kind, to, bytes: size, sealed } = event.entry
      const how = sealed ? 'sealed' : 'not sealed'
      return line('info', 'privacy', `${kind} to ${to}, ${bytes(size)}, ${how}`)
    }
    case 'dataset': {
      const { name, train, evaluation } = event.dataset
      return line('info', 'data', `${name}: ${train} rows to train, ${evaluation} to evaluate`)
    }
    case 'alert': {
      const { code, severity, text, hint } = event.alert
      if (event.cleared) return line('info', 'alert', `${code} cleared`)
      return line(severity === 'error' ? 'error' : 'warn', 'alert', `${text} (${hint})`)
    }
    case 'log':
      return line(event.level, event.component, event.message)
  }
}

function line(level: LogLevel, component: string, message: string): Description {
  return { level, component, message }
}
