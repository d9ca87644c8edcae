import type { PlainError } from './plain-error.ts'

/** What the host of a worker sends it. `id` names the call that a message is about. */
export type ToWorker =
  | { readonly type: 'call'; readonly id: number; readonly method: string; readonly input: unknown }
  | { readonly type: 'cancel'; readonly id: number }
  /** The next item of a call's source, asked for by `pull`; without `value` there are no more. */
  | { readonly type: 'item'; readonly id: number; readonly value?: unknown }

/** What a worker sends its host. */
export type FromWorker =
  | { readonly type: 'result'; readonly id: number; readonly value: unknown }
  | { readonly type: 'error'; readonly id: number; readonly error: PlainError }
  | { readonly type: 'event'; readonly id: number; readonly event: unknown }
  | { readonly type: 'pull'; readonly id: number }

/** What a method of a worker may use besides its input. */
export interface WorkerContext {
  /** Tells the caller of progress. */
  readonly emit: (event: unknown) => void
  /** The caller's items, fetched one at a time as they are asked for. */
  readonly source: AsyncIterable<unknown>
  readonly signal: AbortSignal
}

export type WorkerMethod = (input: never, context: WorkerContext) => Promise<unknown>
export type WorkerMethods = Readonly<Record<string, WorkerMethod>>
