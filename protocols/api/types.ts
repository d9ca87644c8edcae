import type { EngineInfo } from '#engine'
import type { Sampling } from '#learning/generate'

/**
 * The local API of a daemon and of a cloud peer: what every screen and command reads. HTTP on a unix socket
 * (`<home>/control.sock`, 0660), JSON bodies; errors are `{ error: { code, message, hint } }` with the HTTP status of their kind.
 * A reader takes the snapshot (`GET /v1/status`), then the events after its `sequence` (`GET /v1/events`, server-sent, `Last-Event-ID`).
 * Whoever accepts `text/event-stream` is sent a reply in parts (`ReplyPart`), as they are made.
 */

export type Role = 'device' | 'cloud'

/** Per cent, but for perplexity. */
export interface Scores {
  readonly em: number
  readonly rougeL: number
  readonly examples: number
  readonly perplexityPerByte: number
}

export interface ModelInfo {
  readonly role: 'llm' | 'dpm' | 'slm'
  readonly name: string
  readonly family: string
  readonly parameters: number
  readonly vocabulary: number
  /** SHA-256 of configuration and weights. */
  readonly digest: string
}

export type PeerState = 'training' | 'syncing' | 'idle' | 'waiting' | 'down'

export interface PeerInfo {
  readonly id: string
  readonly name: string
  readonly role: Role
  readonly state: PeerState
  /** Why it is not well, and what to do; empty when all is well. */
  readonly reason: string
  readonly connected: boolean
  readonly rttMs: number | null
  readonly round: number | null
  readonly step: number | null
  readonly loss: number | null
  readonly bytesUp: number
  readonly bytesDown: number
  /** Milliseconds since the epoch. */
  readonly lastSeen: number | null
}

export type RoundPhase =
  | 'waiting'
  | 'collecting'
  | 'aggregating'
  | 'tuning'
  | 'published'
  | 'aborted'

export type DevicePhase =
  | 'idle'
  | 'dst'
  | 'saml'
  | 'tuned'
  | 'offered'
  | 'received'
  | 'evaluating'
  | 'refused'

export interface RoundParticipant {
  readonly id: string
  readonly name: string
  readonly phase: DevicePhase
  readonly bytes: number
  /** Why an update was refused; empty otherwise. */
  readonly reason: string
}

export interface RoundInfo {
  readonly round: number
  readonly rounds: number
  readonly phase: RoundPhase
  readonly quorum: number
  readonly openedAt: number
  readonly deadline: number
  readonly participants: readonly RoundParticipant[]
  readonly reason: string
  /** Share of the adapters' energy that re-factoring to the rank dropped, 0..1; null before aggregation. */
  readonly energyDropped: number | null
  readonly finishedAt: number | null
}

export interface DatasetInfo {
  readonly name: string
  /** A file name or `sqlite:<file>`; never row contents. */
  readonly source: string
  readonly train: number
  readonly evaluation: number
  readonly importedAt: number
}

/** One thing that left this device. */
export interface LedgerEntry {
  readonly at: number
  readonly to: string
  readonly kind: 'adapter-delta' | 'join' | 'announcement'
  readonly round: number | null
  readonly bytes: number
  readonly sha256: string
  readonly sealed: boolean
}

/** A degraded state as data. */
export interface Alert {
  readonly code: string
  readonly severity: 'warning' | 'error'
  readonly text: string
  readonly hint: string
  readonly since: number
}

export interface Status {
  readonly schema: 'cotune.status/1'
  readonly role: Role
  readonly name: string
  readonly peerId: string
  readonly runId: string | null
  readonly version: string
  readonly startedAt: number
  readonly addresses: readonly string[]
  /** The sequence number of the last event this snapshot contains. */
  readonly sequence: number
  /** What learning runs on, and what was tried before. */
  readonly engine: EngineInfo
  readonly models: readonly ModelInfo[]
  readonly peers: readonly PeerInfo[]
  readonly round: RoundInfo | null
  readonly history: readonly RoundInfo[]
  readonly datasets: readonly DatasetInfo[]
  readonly ledger: readonly LedgerEntry[]
  readonly alerts: readonly Alert[]
  readonly dpmVersion: number
  readonly bytesUp: number
  readonly bytesDown: number
  /** How long the event loop was held up at worst within the last minute, in milliseconds: nobody is answered meanwhile. */
  readonly loopDelayMs: number
  readonly ready: boolean
}

export type TuningPhase = 'dst' | 'saml' | 'baseline' | 'evaluate' | 'distil'

/** Everything that happens, as one union; the reader folds it into a screen. */
export type PeerEvent =
  | { readonly type: 'peer'; readonly peer: PeerInfo }
  | { readonly type: 'round'; readonly round: RoundInfo }
  | {
      readonly type: 'progress'
      readonly phase: TuningPhase
      readonly model: 'slm' | 'dpm' | 'llm'
      readonly round: number | null
      readonly step: number
      readonly steps: number
      readonly loss: number
      readonly tokensPerSecond: number
    }
  | {
      readonly type: 'scores'
      readonly model: 'slm' | 'dpm' | 'llm'
      readonly label: 'before' | 'standalone' | 'cotuned' | 'after'
      readonly round: number | null
      readonly scores: Scores
    }
  | {
      readonly type: 'version'
      readonly version: number
      readonly kept: boolean
      readonly reason: string
    }
  | { readonly type: 'ledger'; readonly entry: LedgerEntry }
  | { readonly type: 'dataset'; readonly dataset: DatasetInfo }
  | { readonly type: 'alert'; readonly alert: Alert; readonly cleared: boolean }
  | {
      readonly type: 'log'
      readonly level: 'debug' | 'info' | 'warn' | 'error'
      readonly component: string
      readonly message: string
    }

export interface ImportRequest {
  readonly name: string
  /** Absolute path: .jsonl, .csv, or a SQLite file together with `query`. */
  readonly path: string
  readonly query?: string
  /** instruction/input/output -> column. */
  readonly columns?: Readonly<Record<string, string>>
  /** Take at most this many training rows. */
  readonly limit?: number
  /** Rows for evaluation only, or for training only; default: 10 % held out by digest. */
  readonly use?: 'train' | 'evaluation' | 'split'
  /** Only rows of the private half (see isPublic). */
  readonly onlyPrivate?: boolean
  readonly onError?: 'fail' | 'skip'
  readonly dryRun?: boolean
}

export interface ImportReport {
  readonly name: string
  readonly imported: number
  readonly duplicates: number
  readonly skipped: readonly {
    readonly line: number
    readonly code: string
    readonly message: string
  }[]
  readonly dryRun: boolean
}

export interface EvaluateRequest {
  readonly model: 'slm' | 'dpm' | 'llm'
  /** Which weights: as loaded, the standalone baseline, or co-tuned so far. */
  readonly label: 'before' | 'standalone' | 'cotuned' | 'after'
  /** A JSONL file instead of the stored evaluation rows. */
  readonly path?: string
}

export interface BaselineRequest {
  /** As many rounds' worth of SLM steps on the same examples. */
  readonly rounds: number
}

export interface StartRunRequest {
  readonly rounds: number
  readonly quorum?: number
  readonly deadlineMs?: number
}

export interface InviteReply {
  readonly invite: string
  readonly expiresAt: number
}

export interface ChatRequest {
  readonly prompt: string
  readonly instruction?: string
  readonly model?: 'slm' | 'dpm' | 'llm'
  /** The most probable words unless told. */
  readonly sampling?: Sampling
  /** Strings that end the answer. */
  readonly stop?: readonly string[]
}

/** Routes: method, path, request, reply. Devices refuse the cloud's routes and the reverse, with API_WRONG_ROLE. */
export interface Routes {
  'GET /v1/status': { readonly request: undefined; readonly reply: Status }
  'GET /v1/rounds': { readonly request: undefined; readonly reply: readonly RoundInfo[] }
  'GET /v1/ledger': { readonly request: undefined; readonly reply: readonly LedgerEntry[] }
  /** Cloud: a one-time invite for one device. */
  'POST /v1/invites': {
    readonly request: { readonly name?: string; readonly ttlMs?: number }
    readonly reply: InviteReply
  }
  /** Cloud: begin `rounds` rounds; rounds then run by themselves as quorum allows. */
  'POST /v1/run': { readonly request: StartRunRequest; readonly reply: RoundInfo }
  'POST /v1/run/stop': {
    readonly request: Record<string, never>
    readonly reply: Record<string, never>
  }
  /** Device: join the mesh of an invite. */
  'POST /v1/join': {
    readonly request: { readonly invite: string }
    readonly reply: { readonly runId: string; readonly cloudId: string }
  }
  /** Device; on the cloud peer it imports public rows. */
  'POST /v1/data': { readonly request: ImportRequest; readonly reply: ImportReport }
  /** Long: resolves when the job has ended; progress comes as events. */
  'POST /v1/evaluate': { readonly request: EvaluateRequest; readonly reply: Scores }
  'POST /v1/baseline': {
    readonly request: BaselineRequest
    readonly reply: { readonly steps: number }
  }
  'POST /v1/rollback': {
    readonly request: { readonly version: number }
    readonly reply: { readonly version: number }
  }
  'POST /v1/chat': {
    readonly request: ChatRequest
    readonly reply: { readonly text: string; readonly model: string }
    /** Text as it is made: all of them together are `text`. */
    readonly piece: string
  }
  'POST /v1/shutdown': {
    readonly request: Record<string, never>
    readonly reply: Record<string, never>
  }
}
export type Route = keyof Routes

/** What a route tells of its reply before that is whole; most tell nothing. */
export type Piece<R extends Route> = Routes[R] extends { readonly piece: infer P } ? P : never

/** A server-sent event of a reply in parts: the pieces, then the reply itself, or an error at any point. */
export type ReplyPart<R extends Route> =
  | { readonly piece: Piece<R> }
  | { readonly reply: Routes[R]['reply'] }
  | { readonly error: ApiFailure }

/** One thing that must hold for a peer to do its work: the answer of `/readyz`, as data. */
export interface HealthCheck {
  readonly name: string
  readonly ok: boolean
  /** Why not, and what to do; empty when all is well. */
  readonly text: string
}

/** `GET /healthz` (200 while live) and `GET /readyz` (200 while ready); 503 otherwise, with the same body. */
export interface Health {
  readonly live: boolean
  readonly ready: boolean
  readonly checks: readonly HealthCheck[]
}

/** What `error` holds in the body of every reply that is not a success. */
export interface ApiFailure {
  readonly code: string
  readonly message: string
  readonly hint: string
  readonly data?: Readonly<Record<string, unknown>>
  /** What a command line exits with. */
  readonly exit?: number
}
