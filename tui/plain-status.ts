import type { Alert, PeerInfo, RoundInfo, Status } from '#protocols/api'
import { age, bytes, count, dateTime, loss } from './drawing/format.ts'
import { type Column, tableHead, tableRow } from './drawing/table.ts'
import { sanitiseDeep } from './drawing/text.ts'
import { createTheme } from './drawing/theme.ts'
import { receivedCount } from './screens/header.ts'

const COLUMNS: readonly Column[] = [
  { title: 'NAME', width: 18 },
  { title: 'ROLE', width: 6 },
  { title: 'STATE', width: 8 },
  { title: 'ROUND', width: 5, align: 'right' },
  { title: 'STEP', width: 6, align: 'right' },
  { title: 'LOSS', width: 6, align: 'right' },
  { title: 'UP', width: 7, align: 'right' },
  { title: 'DOWN', width: 7, align: 'right' },
  { title: 'SEEN', width: 5, align: 'right' },
]

/** A status as lines of plain text, for pipes, logs and people without a terminal. No escape code, only ASCII of our own. */
export function plainStatus(given: Status, now = Date.now()): string {
  const status = sanitiseDeep(given)
  const { name, role, version, startedAt, ready, runId } = status
  const state = ready ? 'ready' : 'not ready'
  const data = status.datasets.map(
    (one) => `data    ${one.name}: ${one.train} rows to train, ${one.evaluation} to evaluate`,
  )
  const models = status.models.map(
    (one) => `model   ${one.role} ${one.name} (${one.family}, ${count(one.parameters)} parameters)`,
  )
  const sent = status.ledger.reduce((sum, entry) => sum + entry.bytes, 0)
  return [
    `${name}  ${role}  ${state}  cotune ${version}, up since ${dateTime(startedAt)} UTC`,
    `run     ${runId ?? 'none; to join one: cotune join <invite>'}`,
    `round   ${status.round === null ? 'none yet' : roundText(status.round)}`,
    ...models,
    ...(data.length > 0 ? data : ['data    none; cotune data import <file.jsonl> --name <name>']),
    `sent    ${status.ledger.length} things left this node, ${bytes(sent)}`,
    '',
    ...peerLines(
      status.peers.map((peer) => (peer.id === status.peerId ? { ...peer, lastSeen: now } : peer)),
      now,
    ),
    ...status.alerts.flatMap(alertLines),
  ].join('\n')
}

function roundText(round: RoundInfo): string {
  const expected = Math.max(round.quorum, round.participants.length)
  const updates = `${receivedCount(round)}/${expected} updates, quorum ${round.quorum}`
  const why = round.reason === '' ? '' : `: ${round.reason}`
  return `${round.round} of ${round.rounds} ${round.phase}, ${updates}${why}`
}

function peerLines(peers: readonly PeerInfo[], now: number): readonly string[] {
  if (peers.length === 0) return ['No peers yet.']
  const theme = createTheme({ palette: 'plain' })
  const rows = peers.flatMap((peer) => {
    const cells = [
      peer.name,
      peer.role,
      peer.state,
      peer.round === null ? '-' : String(peer.round),
      peer.step === null ? '-' : String(peer.step),
      peer.loss === null ? '-' : loss(peer.loss),
      bytes(peer.bytesUp),
      bytes(peer.bytesDown),
      peer.lastSeen === null ? '-' : age(now - peer.lastSeen),
    ].map((text) => ({ text }))
    const why = peer.reason === '' ? [] : [`  ${peer.reason}`]
    return [tableRow(COLUMNS, cells, theme), ...why]
  })
  return [tableHead(COLUMNS, theme), ...rows]
}

function alertLines({ severity, code, text, hint }: Alert): readonly string[] {
  return ['', `${severity}: ${text} (${code})`, `  ${hint}`]
}
