import type { RoundInfo, RoundPhase } from '#protocols/api'
import { age, bytes, duration, percent } from '../drawing/format.ts'
import { drawPane, type Pane, type Size } from '../drawing/pane.ts'
import { progressBar } from '../drawing/sparkline.ts'
import type { Theme } from '../drawing/theme.ts'
import type { Model } from '../state/model.ts'
import type { Ui } from '../state/ui.ts'
import type { ScreenContext } from './context.ts'
import { receivedCount } from './header.ts'

export const ROUND_SUMMARY_HEIGHT = 7

/** The round that was turned to, else the latest. */
export function roundOnShow(model: Model, ui: Ui): RoundInfo | undefined {
  const current = model.status?.round ?? undefined
  const history = model.status?.history ?? []
  if (ui.round === null) return current ?? history.toSorted((a, b) => a.round - b.round).at(-1)
  if (current?.round === ui.round) return current
  return history.find(({ round }) => round === ui.round)
}

const STEPS: readonly (readonly [phase: RoundPhase, title: string])[] = [
  ['waiting', 'wait'],
  ['collecting', 'collect'],
  ['aggregating', 'aggregate'],
  ['tuning', 'tune'],
  ['published', 'publish'],
]

/** A round's phase, updates, time and size, and what it waits for, in `ROUND_SUMMARY_HEIGHT` rows. */
export function roundSummary(round: RoundInfo, context: ScreenContext, size: Size): Pane {
  const { theme, now } = context
  const ended = round.finishedAt
  const received = receivedCount(round)
  const total = round.participants.reduce((sum, one) => sum + one.bytes, 0)
  const dropped = round.energyDropped === null ? '-' : percent(round.energyDropped)
  const took = duration((ended ?? now) - round.openedAt)
  const left = ended === null ? `deadline in ${duration(round.deadline - now)}` : 'finished'
  const expected = Math.max(1, round.quorum, round.participants.length)
  const bar = progressBar(received / expected, 16, theme)
  const lines = [
    phaseStrip(round, theme),
    `updates  ${bar} ${received}/${expected} received, quorum ${round.quorum}`,
    `time     ${took} ${ended === null ? 'so far' : 'in all'}, ${left}`,
    `size     ${bytes(total)} received, energy dropped ${dropped}`,
    whyNotDone(round, context),
  ]
  const title = `Round ${round.round} of ${round.rounds}  ${round.phase}`
  return drawPane('round', title, lines, size, theme)
}

function phaseStrip(round: RoundInfo, theme: Theme): string {
  if (round.phase === 'aborted') {
    return theme.paint('error', `${theme.glyphs.failed} aborted`)
  }
  const current = STEPS.findIndex(([phase]) => phase === round.phase)
  return STEPS.map(([phase, title], index) => {
    if (index < current || (phase === 'published' && round.phase === 'published')) {
      return theme.paint('ok', `${theme.glyphs.done} ${title}`)
    }
    if (index === current) return theme.paint('accent', `${theme.glyphs.busy} ${title}`)
    return theme.paint('muted', `${theme.glyphs.todo} ${title}`)
  }).join('   ')
}

/** Why a round failed, whose update was refused, or for whom it waits. */
function whyNotDone(round: RoundInfo, { theme, status, now }: ScreenContext): string {
  if (round.reason !== '') {
    return theme.paint(round.phase === 'aborted' ? 'error' : 'warn', round.reason)
  }
  const refused = round.participants.filter(({ phase }) => phase === 'refused')
  if (refused.length > 0) {
    const told = refused.map(({ name, reason }) => `${name} refused: ${reason}`)
    return theme.paint('error', told.join('; '))
  }
  if (round.phase !== 'waiting' && round.phase !== 'collecting') return ''
  const missing = round.participants.filter(
    ({ phase }) => phase !== 'received' && phase !== 'refused' && phase !== 'evaluating',
  )
  if (missing.length === 0) return ''
  const names = missing.map(({ id, name }) => {
    const peer = status.peers.find((one) => one.id === id)
    if (peer?.state !== 'down') return name
    return `${name} down${peer.lastSeen === null ? '' : ` ${age(now - peer.lastSeen)}`}`
  })
  return theme.paint('muted', `waiting for ${names.join(', ')}`)
}
