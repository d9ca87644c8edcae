import type { PeerEvent, RoundInfo } from '#protocols/api'
import { clean } from './clean.ts'
import { formatBytes, formatScore } from './units.ts'

/** One line for one event, in plain text. */
export function describeEvent(event: PeerEvent): string {
  return clean(describe(event))
}

/** `round 2/3 collecting, 1 of 3 updates`. */
export function describeRound(round: RoundInfo): string {
  const offered = round.participants.filter(({ phase }) => phase === 'received').length
  const count = `${offered} of ${round.quorum} updates`
  const detail = round.phase === 'collecting' ? `, ${count}` : ''
  const reason = round.reason === '' ? '' : ` (${round.reason})`
  return `round ${round.round}/${round.rounds} ${round.phase}${detail}${reason}`
}

function describe(event: PeerEvent): string {
  switch (event.type) {
    case 'peer': {
      const { name, state, connected, reason } = event.peer
      return `peer ${name} ${connected ? 'connected' : 'away'}, ${state}${reason === '' ? '' : `: ${reason}`}`
    }
    case 'round':
      return describeRound(event.round)
    case 'progress': {
      const round = event.round === null ? '' : `round ${event.round} `
      const percent = Math.floor((100 * event.step) / Math.max(1, event.steps))
      const loss = Number.isFinite(event.loss) ? `  loss ${event.loss.toFixed(3)}` : ''
      const speed =
        event.tokensPerSecond > 0 ? `  ${Math.round(event.tokensPerSecond)} tokens/s` : ''
      return `${round}${event.phase} ${event.model} ${percent} %${loss}${speed}`
    }
    case 'scores': {
      const { em, rougeL, examples } = event.scores
      return `${event.model} ${event.label}: exact match ${formatScore(em)}, Rouge-L ${formatScore(rougeL)} on ${examples} examples`
    }
    case 'version':
      return `version ${event.version} ${event.kept ? 'kept' : 'not kept'}${event.reason === '' ? '' : `: ${event.reason}`}`
    case 'ledger': {
      const { kind, bytes, sealed, round } = event.entry
      return `sent ${kind}, ${formatBytes(bytes)}${sealed ? ', sealed' : ''}${round === null ? '' : ` (round ${round})`}`
    }
    case 'dataset':
      return `data ${event.dataset.name}: ${event.dataset.train} to train on, ${event.dataset.evaluation} to evaluate on`
    case 'alert':
      return event.cleared
        ? `resolved: ${event.alert.text}`
        : `${event.alert.severity}: ${event.alert.text} (${event.alert.hint})`
    case 'log':
      return `${event.level} ${event.component}: ${event.message}`
  }
}
