import type { PeerInfo, Status } from '#protocols/api'
import { clean } from './clean.ts'
import { describeRound } from './describe-event.ts'
import { renderTable } from './table.ts'
import { formatBytes, formatCount, formatDuration } from './units.ts'

/** The status of a peer as a page of plain text. */
export function renderStatus(status: Status, now = Date.now()): string {
  return [
    headline(status, now),
    modelLines(status),
    roundLine(status, now),
    peerTable(status.peers, now),
    dataTable(status),
    ledgerLine(status),
    ...status.alerts.map(({ severity, text, hint }) =>
      clean(`${severity}: ${text}\n  hint: ${hint}`, '\n'),
    ),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}

function headline(status: Status, now: number): string {
  const uptime = formatDuration(now - status.startedAt)
  const ready = status.ready ? 'ready' : 'NOT READY'
  const run = status.runId === null ? 'in no mesh yet' : `mesh ${status.runId}`
  const where = status.addresses.map((address) => `  ${address}`)
  return clean(
    [
      `${status.name} · ${status.role} · ${ready} · up ${uptime} · cotune ${status.version}`,
      `${run} · proxy model version ${status.dpmVersion} · ${formatBytes(status.bytesUp)} sent, ${formatBytes(status.bytesDown)} received`,
      `peer ${status.peerId}`,
      `learning runs on ${status.engine.provider} (${status.engine.executor}); worst delay of the last minute ${status.loopDelayMs} ms`,
      ...where,
    ].join('\n'),
    '\n',
  )
}

function modelLines({ models }: Status): string {
  if (models.length === 0) return ''
  const rows = models.map((model) => [
    model.role,
    model.name,
    model.family,
    formatCount(model.parameters),
    formatCount(model.vocabulary),
    model.digest.slice(0, 12),
  ])
  return renderTable(['MODEL', 'NAME', 'FAMILY', 'PARAMETERS', 'VOCABULARY', 'DIGEST'], rows, [
    'PARAMETERS',
    'VOCABULARY',
  ])
}

function roundLine({ round }: Status, now: number): string {
  if (round === null) return 'no round yet'
  const left = round.deadline - now
  const open = round.finishedAt === null && left > 0
  return clean(describeRound(round) + (open ? `, deadline in ${formatDuration(left)}` : ''))
}

function peerTable(peers: readonly PeerInfo[], now: number): string {
  if (peers.length === 0) return 'no peers yet'
  const rows = peers.map((peer) => [
    peer.name,
    peer.role,
    peer.state,
    peer.rttMs === null ? '-' : `${Math.round(peer.rttMs)} ms`,
    String(peer.round ?? '-'),
    String(peer.step ?? '-'),
    peer.loss === null ? '-' : peer.loss.toFixed(3),
    formatBytes(peer.bytesUp),
    formatBytes(peer.bytesDown),
    peer.lastSeen === null ? 'never' : `${formatDuration(now - peer.lastSeen)} ago`,
    peer.reason,
  ])
  const head = [
    'PEER',
    'ROLE',
    'STATE',
    'RTT',
    'ROUND',
    'STEP',
    'LOSS',
    'UP',
    'DOWN',
    'SEEN',
    'REASON',
  ]
  return renderTable(head, rows, ['RTT', 'ROUND', 'STEP', 'LOSS', 'UP', 'DOWN'])
}

function dataTable({ datasets }: Status): string {
  if (datasets.length === 0) return 'no data yet: cotune data import FILE'
  const rows = datasets.map((dataset) => [
    dataset.name,
    dataset.source,
    String(dataset.train),
    String(dataset.evaluation),
  ])
  return renderTable(['DATA', 'SOURCE', 'TRAIN', 'EVALUATION'], rows, ['TRAIN', 'EVALUATION'])
}

function ledgerLine({ ledger, role }: Status): string {
  if (role !== 'device') return ''
  const sizeBytes = ledger.reduce((sum, entry) => sum + entry.bytes, 0)
  const open = ledger.filter(({ kind, sealed }) => kind === 'adapter-delta' && !sealed).length
  const sealed = open === 0 ? 'every adapter sealed' : `${open} adapters NOT sealed`
  return `left this device: ${ledger.length} messages, ${formatBytes(sizeBytes)}; ${sealed}; no row of data`
}
