import type { Numbered } from '#base'
import type { PeerEvent, Status } from '#protocols/api'
import { sanitiseDeep } from '../drawing/text.ts'
import { type Description, describeEvent } from './describe-event.ts'
import { foldStatus } from './fold-status.ts'
import type { LogLine, Model, ScoreRow, Series } from './model.ts'

const LOG_LIMIT = 1_000
const SERIES_LIMIT = 4_000
const REPEAT_LINES = 20

/** What arrives from outside, as opposed to keys. */
export type Arrival =
  | { readonly type: 'snapshot'; readonly status: Status; readonly at: number }
  | { readonly type: 'event'; readonly entry: Numbered<PeerEvent>; readonly at: number }
  | {
      readonly type: 'disconnected'
      readonly message: string
      readonly hint: string
      readonly at: number
      readonly retryAt: number
    }
  | {
      readonly type: 'captured'
      readonly level: 'info' | 'error'
      readonly message: string
      readonly at: number
    }

/** Folds one arrival into the model. All text is made safe to show here, once, so that no screen can forget it. */
export function reduceModel(model: Model, arrival: Arrival): Model {
  switch (arrival.type) {
    case 'snapshot':
      return takeSnapshot(model, sanitiseDeep(arrival.status), arrival.at)
    case 'event':
      return takeEvent(model, sanitiseDeep(arrival.entry), arrival.at)
    case 'disconnected': {
      const { message, hint, at, retryAt } = sanitiseDeep(arrival)
      const since = model.connection.kind === 'disconnected' ? model.connection.since : at
      return { ...model, connection: { kind: 'disconnected', message, hint, since, retryAt } }
    }
    case 'captured': {
      const { level, message, at } = sanitiseDeep(arrival)
      return withLine(model, { at, level, component: 'console', message })
    }
  }
}

function takeSnapshot(model: Model, status: Status, at: number): Model {
  const heard = { ...model, heardAt: at, connection: { kind: 'live' } } as const
  const restarted = model.status !== null && model.status.startedAt !== status.startedAt
  if (restarted) return { ...heard, status, sequence: 0 }
  const older = model.status !== null && status.sequence < model.status.sequence
  return older ? heard : { ...heard, status }
}

function takeEvent(model: Model, entry: Numbered<PeerEvent>, at: number): Model {
  if (entry.sequence <= model.sequence) return { ...model, heardAt: at }
  const gap = model.sequence === 0 ? 0 : entry.sequence - model.sequence - 1
  const fresh = model.status !== null && entry.sequence > model.status.sequence
  const status = model.status !== null && fresh ? foldStatus(model.status, entry) : model.status
  const heard = {
    ...takeFigures(model, entry),
    status,
    sequence: entry.sequence,
    heardAt: at,
    missed: model.missed + gap,
  }
  const description = describeEvent(entry.event)
  return description === null || repeats(model, entry.event, description)
    ? heard
    : withLine(heard, { at: entry.at, ...description, event: entry })
}

/** Rounds, peers and alerts are told again at every small change of theirs: one line a state is enough. */
function repeats(model: Model, event: PeerEvent, { component, message }: Description): boolean {
  if (event.type !== 'round' && event.type !== 'peer' && event.type !== 'alert') return false
  return model.log.slice(-REPEAT_LINES).some((line) => {
    return line.component === component && line.message === message
  })
}

/** What the snapshot does not hold: curves, progress and scores. */
function takeFigures(model: Model, { event, at }: Numbered<PeerEvent>): Model {
  switch (event.type) {
    case 'progress': {
      const progress = { at, event }
      if (event.phase === 'evaluate') return { ...model, progress }
      const key = `${event.phase} ${event.model}`
      // JSON sends null for a loss that is no number; a gap in the curve is what it is.
      const value = Number.isFinite(event.loss) ? event.loss : Number.NaN
      const series = extended(model.series, key, key, value, event.round, at)
      return { ...model, progress, series }
    }
    case 'peer': {
      const { id, name, state, loss, round } = event.peer
      // A peer is told again whenever anything of it changes; the same loss twice is the same step.
      const known = model.peerSeries.get(id)?.values.at(-1)
      if (loss === null || state !== 'training' || loss === known) return model
      return { ...model, peerSeries: extended(model.peerSeries, id, name, loss, round, at) }
    }
    case 'scores': {
      const { model: scored, label, round, scores } = event
      return { ...model, scores: withScores(model.scores, { model: scored, label, round, scores }) }
    }
    default:
      return model
  }
}

function extended(
  map: ReadonlyMap<string, Series>,
  key: string,
  label: string,
  value: number,
  round: number | null,
  at: number,
): ReadonlyMap<string, Series> {
  const before = map.get(key)
  const values = [...(before?.values ?? []), value].slice(-SERIES_LIMIT)
  const rounds = [...(before?.rounds ?? []), round].slice(-SERIES_LIMIT)
  return new Map(map).set(key, { label, values, rounds, at })
}

function withScores(rows: readonly ScoreRow[], row: ScoreRow): readonly ScoreRow[] {
  const same = (one: ScoreRow) =>
    one.model === row.model && one.label === row.label && one.round === row.round
  return [...rows.filter((one) => !same(one)), row]
}

function withLine(model: Model, line: LogLine): Model {
  const full = model.log.length >= LOG_LIMIT
  return {
    ...model,
    log: [...(full ? model.log.slice(1) : model.log), line],
    dropped: model.dropped + (full ? 1 : 0),
  }
}
