import type { Numbered } from '#base'
import type { PeerEvent, Scores, Status } from '#protocols/api'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface LogLine {
  readonly at: number
  readonly level: LogLevel
  readonly component: string
  readonly message: string
  /** What the line was made of; shown as JSON on demand. */
  readonly event?: Numbered<PeerEvent>
}

/** One curve: a loss over time. */
export interface Series {
  readonly label: string
  readonly values: readonly number[]
  /** The round of each value; a change is a tick on the axis. */
  readonly rounds: readonly (number | null)[]
  /** When the last value came. */
  readonly at: number
}

type ProgressEvent = Extract<PeerEvent, { type: 'progress' }>

interface Progress {
  readonly at: number
  readonly event: ProgressEvent
}

export interface ScoreRow {
  readonly model: 'slm' | 'dpm' | 'llm'
  readonly label: 'before' | 'standalone' | 'cotuned' | 'after'
  readonly round: number | null
  readonly scores: Scores
}

type Connection =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  | {
      readonly kind: 'disconnected'
      readonly message: string
      readonly hint: string
      readonly since: number
      readonly retryAt: number
    }

/** Everything that was received; folded from snapshots and events, frozen as a whole by pause. */
export interface Model {
  /** The snapshot with the later events folded in; null until the first one. */
  readonly status: Status | null
  readonly connection: Connection
  /** Sequence number of the last event seen, 0 before the first. */
  readonly sequence: number
  /** When the peer was last heard, by snapshot or event. */
  readonly heardAt: number
  /** Events that were lost on the way here. */
  readonly missed: number
  readonly log: readonly LogLine[]
  /** Lines that the bounded log dropped. */
  readonly dropped: number
  /** This node's own training, by phase and model. */
  readonly series: ReadonlyMap<string, Series>
  /** Losses that peers report, by peer id. */
  readonly peerSeries: ReadonlyMap<string, Series>
  readonly progress: Progress | null
  readonly scores: readonly ScoreRow[]
}

export const EMPTY_MODEL: Model = {
  status: null,
  connection: { kind: 'connecting' },
  sequence: 0,
  heardAt: 0,
  missed: 0,
  log: [],
  dropped: 0,
  series: new Map(),
  peerSeries: new Map(),
  progress: null,
  scores: [],
}
