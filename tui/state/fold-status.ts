import type { Numbered } from '#base'
import type { PeerEvent, RoundInfo, Status } from '#protocols/api'

const HISTORY_LIMIT = 50
const LEDGER_LIMIT = 500

/** Brings a snapshot up to date by one event; events that the snapshot contains already must not be given. */
export function foldStatus(status: Status, { sequence, event }: Numbered<PeerEvent>): Status {
  return { ...foldEvent(status, event), sequence }
}

function foldEvent(status: Status, event: PeerEvent): Status {
  switch (event.type) {
    case 'peer':
      return { ...status, peers: replaced(status.peers, event.peer, (peer) => peer.id) }
    case 'round':
      return { ...status, ...foldRound(status, event.round) }
    case 'version':
      return event.kept ? { ...status, dpmVersion: event.version } : status
    case 'ledger':
      return {
        ...status,
        ledger: latest([...status.ledger, event.entry], ({ at }) => at, LEDGER_LIMIT),
      }
    case 'dataset':
      return { ...status, datasets: replaced(status.datasets, event.dataset, (one) => one.name) }
    case 'alert': {
      const others = status.alerts.filter((alert) => alert.code !== event.alert.code)
      return { ...status, alerts: event.cleared ? others : [...others, event.alert] }
    }
    case 'progress':
    case 'scores':
    case 'log':
      return status
  }
}

/** A finished round goes to the history and stays on show until the next one opens. */
function foldRound(status: Status, round: RoundInfo): Pick<Status, 'round' | 'history'> {
  if (round.finishedAt === null) return { round, history: status.history }
  const history = replaced(status.history, round, (one) => String(one.round))
  return { round, history: latest(history, (one) => one.round, HISTORY_LIMIT) }
}

function replaced<T>(list: readonly T[], item: T, key: (item: T) => string): readonly T[] {
  const index = list.findIndex((one) => key(one) === key(item))
  return index < 0 ? [...list, item] : list.with(index, item)
}

/** The `limit` greatest by `key`, ascending; peers list some things newest first. */
function latest<T>(list: readonly T[], key: (item: T) => number, limit: number): readonly T[] {
  return list.toSorted((a, b) => key(a) - key(b)).slice(-limit)
}
