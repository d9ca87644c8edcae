import type { RoundInfo } from '#protocols/api'
import { clean } from './clean.ts'
import { describeRound } from './describe-event.ts'
import { renderTable } from './table.ts'
import { formatBytes, formatDuration } from './units.ts'

/** One round: its phase, who takes part and how far they are. */
export function renderRound(round: RoundInfo, now = Date.now()): string {
  const lines = [clean(describeRound(round)), `opened ${formatDuration(now - round.openedAt)} ago`]
  if (round.finishedAt !== null) {
    lines.push(`took ${formatDuration(round.finishedAt - round.openedAt)}`)
  }
  if (round.energyDropped !== null) {
    lines.push(`re-factoring dropped ${(100 * round.energyDropped).toFixed(2)} % of the energy`)
  }
  const rows = round.participants.map(({ name, phase, bytes, reason }) => [
    name,
    phase,
    formatBytes(bytes),
    reason,
  ])
  return `${lines.join(' · ')}\n\n${renderTable(['DEVICE', 'PHASE', 'BYTES', 'REASON'], rows, ['BYTES'])}`
}
