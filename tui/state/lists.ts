import type { LedgerEntry, PeerInfo, Status } from '#protocols/api'
import type { LogLine, Model } from './model.ts'
import { LEVELS, type Sort, type Ui } from './ui.ts'

/** `text` must be contained, `!text` must not; letter case does not matter; empty takes all. */
function matches(filter: string, ...texts: readonly string[]): boolean {
  const inverse = filter.startsWith('!')
  const wanted = (inverse ? filter.slice(1) : filter).toLowerCase()
  if (wanted === '') return true
  const found = texts.some((text) => text.toLowerCase().includes(wanted))
  return found !== inverse
}

const BY: Readonly<Record<Sort, (a: PeerInfo, b: PeerInfo) => number>> = {
  name: () => 0,
  state: (a, b) => a.state.localeCompare(b.state),
  loss: (a, b) => (a.loss ?? Number.POSITIVE_INFINITY) - (b.loss ?? Number.POSITIVE_INFINITY),
  step: (a, b) => (b.step ?? -1) - (a.step ?? -1),
  seen: (a, b) => (b.lastSeen ?? 0) - (a.lastSeen ?? 0),
}

const OWN_PROGRESS_MS = 15_000

/** This node as a row of the mesh, from what it tells about itself. */
function ownRow(status: Status, model: Model): PeerInfo {
  const { progress } = model
  const training = progress !== null && model.heardAt - progress.at < OWN_PROGRESS_MS
  return {
    id: status.peerId,
    name: status.name,
    role: status.role,
    state: training ? 'training' : 'idle',
    reason: '',
    connected: true,
    rttMs: null,
    round: status.round?.round ?? null,
    step: training ? progress.event.step : null,
    loss: training ? progress.event.loss : null,
    bytesUp: status.bytesUp,
    bytesDown: status.bytesDown,
    lastSeen: model.heardAt,
  }
}

/** The peers that the node lists, and the node itself where it does not list itself; it was seen when it last answered. */
export function allPeers(model: Model): readonly PeerInfo[] {
  const { status, heardAt } = model
  if (status === null) return []
  const own = status.peers.find((peer) => peer.id === status.peerId) ?? ownRow(status, model)
  const others = status.peers.filter((peer) => peer.id !== status.peerId)
  return [{ ...own, lastSeen: heardAt }, ...others]
}

/** The peers on show: filtered, sorted, this node first. */
export function shownPeers(model: Model, ui: Ui): readonly PeerInfo[] {
  const { status } = model
  if (status === null) return []
  const own = (peer: PeerInfo) => (peer.id === status.peerId ? 0 : 1)
  return allPeers(model)
    .filter((peer) =>
      matches(ui.filters.mesh ?? '', peer.name, peer.id, peer.state, peer.role, peer.reason),
    )
    .toSorted((a, b) => {
      const byName = a.name < b.name ? -1 : a.name > b.name ? 1 : 0
      const byOrder = BY[ui.sort](a, b)
      // Two unknown losses differ by NaN, which is "equal".
      return own(a) - own(b) || byOrder || byName
    })
}

/** The lines on show, oldest first. */
export function shownLog(model: Model, ui: Ui): readonly LogLine[] {
  const least = LEVELS.indexOf(ui.level)
  const filter = ui.filters.events ?? ''
  return model.log.filter(
    (line) =>
      LEVELS.indexOf(line.level) >= least &&
      matches(filter, line.component, line.message, line.level),
  )
}

/** What left this node, newest first. */
export function shownLedger(model: Model, ui: Ui): readonly LedgerEntry[] {
  const filter = ui.filters.data ?? ''
  return (model.status?.ledger ?? [])
    .filter((entry) => matches(filter, entry.kind, entry.to, entry.sha256))
    .toSorted((a, b) => b.at - a.at)
}

/** Rows of the list that a screen's cursor moves in. */
export function listLength(model: Model, ui: Ui): number {
  if (ui.screen === 'mesh') return shownPeers(model, ui).length
  if (ui.screen === 'events') return shownLog(model, ui).length
  return ui.screen === 'data' ? shownLedger(model, ui).length : 0
}

/** Cursor of a list, within its bounds. In Events it is the last row while following. */
export function cursorOf(ui: Ui, length: number): number {
  const last = Math.max(0, length - 1)
  if (ui.screen === 'events' && ui.follow) return last
  return Math.min(ui.cursors[ui.screen] ?? 0, last)
}
