import type { PeerState, RoundInfo } from '#protocols/api'
import { age, clockTime } from '../drawing/format.ts'
import { progressBar } from '../drawing/sparkline.ts'
import { widthOf } from '../drawing/text.ts'
import { PEER_ROLE, PHASE_ROLE, type Role, type Theme } from '../drawing/theme.ts'
import { allPeers } from '../state/lists.ts'
import type { Model } from '../state/model.ts'
import { shownModel, type TuiState } from '../state/state.ts'

/** A peer is asked every two seconds; one that is silent for five times as long is not live. */
const STALE_AFTER_MS = 10_000

const NAME_WIDTH = 24
const BAR_WIDTH = 8
const SHORT_STATE: Readonly<Record<PeerState, string>> = {
  training: 'train',
  syncing: 'sync',
  idle: 'idle',
  waiting: 'wait',
  down: 'down',
}

/** A part of the header; when the line is too long the part with the least `worth` is shortened, then dropped, first. */
interface Part {
  readonly text: string
  readonly short?: string
  readonly worth: number
}

/** Name, liveness, round, peers by state, alerts, UTC time: one line of exactly `columns` cells. */
export function headerLine(state: TuiState, theme: Theme): string {
  const model = shownModel(state)
  const clock = theme.paint('muted', `${clockTime(state.now)}Z`)
  const parts: Part[] = [
    { text: theme.paint('title', nameOf(model, theme)), worth: 9 },
    { text: liveness(state, theme), worth: 10 },
    ...roundParts(model, theme),
    ...alertParts(model, theme),
    ...peerParts(model, theme),
  ]
  const room = state.columns - widthOf(clock) - 3
  const left = dropToFit(parts, room)
    .map(({ text }) => text)
    .join('  ')
  return ` ${left}${' '.repeat(Math.max(1, room - widthOf(left) + 1))}${clock} `
}

function dropToFit(parts: readonly Part[], room: number): readonly Part[] {
  const width = parts.reduce((sum, { text }) => sum + widthOf(text) + 2, -2)
  if (width <= room || parts.length === 0) return parts
  const least = Math.min(...parts.map(({ worth }) => worth))
  const lessened = parts.flatMap((part): readonly Part[] => {
    if (part.worth !== least) return [part]
    return part.short === undefined ? [] : [{ text: part.short, worth: part.worth }]
  })
  return dropToFit(lessened, room)
}

function nameOf(model: Model, theme: Theme): string {
  const name = model.status?.name ?? 'cotune'
  return theme.fitText(name, Math.min(NAME_WIDTH, widthOf(name)))
}

function liveness(state: TuiState, theme: Theme): string {
  const { connection, heardAt } = state.model
  if (connection.kind === 'disconnected') {
    const seconds = Math.max(0, Math.ceil((connection.retryAt - state.now) / 1_000))
    return theme.paint('error', `DISCONNECTED ${theme.glyphs.dot} retry in ${seconds}s`)
  }
  if (connection.kind === 'connecting') return theme.paint('muted', 'CONNECTING')
  if (state.frozen !== null) return theme.paint('warn', 'PAUSED')
  const silence = state.now - heardAt
  if (silence > STALE_AFTER_MS) return theme.paint('warn', `STALE ${age(silence)}`)
  return theme.paint('ok', 'LIVE')
}

function roundParts(model: Model, theme: Theme): readonly Part[] {
  const round = model.status?.round
  if (!round) return []
  const phase = PHASE_ROLE[round.phase]
  const text = roundPhase(round)
  return [
    { text: `round ${round.round}/${round.rounds}`, worth: 8 },
    { text: progressBar(roundShare(round, model), BAR_WIDTH, theme), worth: 2 },
    { text: phase ? theme.paint(phase, text) : text, worth: 7 },
  ]
}

function roundPhase(round: RoundInfo): string {
  if (round.phase !== 'collecting') return round.phase
  return `collecting ${receivedCount(round)}/${Math.max(round.quorum, round.participants.length)}`
}

/** Updates that the cloud peer holds. */
export function receivedCount(round: RoundInfo): number {
  return round.participants.filter(({ phase }) => phase === 'received' || phase === 'evaluating')
    .length
}

/** Phases passed plus what can be counted of the present one: updates received, steps tuned. */
function roundShare(round: RoundInfo, model: Model): number {
  const progress = model.progress?.event
  const steps = progress && progress.round === round.round ? progress.step / progress.steps : 0
  const expected = Math.max(1, round.quorum, round.participants.length)
  switch (round.phase) {
    case 'waiting':
    case 'aborted':
      return 0
    case 'collecting':
      return receivedCount(round) / expected / 2
    case 'aggregating':
      return 0.5
    case 'tuning':
      return 0.5 + Math.min(1, steps) * 0.4
    case 'published':
      return 1
  }
}

function peerParts(model: Model, theme: Theme): readonly Part[] {
  const peers = allPeers(model)
  const counts = (Object.keys(SHORT_STATE) as PeerState[])
    .map((state) => ({ state, total: peers.filter((peer) => peer.state === state).length }))
    .filter(({ total }) => total > 0)
  const joined = (text: (state: PeerState, total: number) => string) =>
    counts.map(({ state, total }) => painted(theme, PEER_ROLE[state], text(state, total))).join(' ')
  return [
    {
      text: joined((state, total) => `${total} ${SHORT_STATE[state]}`),
      short: joined((state, total) => `${theme.glyphs.state[state]}${total}`),
      worth: 4,
    },
  ].filter(({ text }) => text !== '')
}

function alertParts(model: Model, theme: Theme): readonly Part[] {
  const alerts = model.status?.alerts ?? []
  if (alerts.length === 0) return []
  const role = alerts.some(({ severity }) => severity === 'error') ? 'error' : 'warn'
  const noun = alerts.length === 1 ? 'alert' : 'alerts'
  const text = `${theme.glyphs.warning} ${alerts.length} ${noun}`
  return [{ text: theme.paint(role, text), worth: 6 }]
}

function painted(theme: Theme, role: Role | undefined, text: string): string {
  return role === undefined ? text : theme.paint(role, text)
}
