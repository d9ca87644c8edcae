import { z } from 'zod'
import type { Route, Routes } from './types.ts'

const MAX_TEXT = 100_000
const MAX_PATH = 4_096
const MAX_ROUNDS = 10_000

const name = z
  .string()
  .min(1)
  .max(64)
  .regex(
    /^[\p{L}\p{N}][\p{L}\p{N} ._-]*$/u,
    'letters, digits, space, dot, dash and underscore only',
  )
const path = z.string().min(1).max(MAX_PATH).startsWith('/', 'must be an absolute path')
const model = z.enum(['slm', 'dpm', 'llm'])
const rounds = z.int().min(1).max(MAX_ROUNDS)
const nothing = z.record(z.string(), z.never())

/** What each route accepts as its body; anything else, unknown keys included, is API_BAD_REQUEST. */
export const requestSchemas: { readonly [R in Route]: z.ZodType<Routes[R]['request']> } = {
  'GET /v1/status': z.undefined(),
  'GET /v1/rounds': z.undefined(),
  'GET /v1/ledger': z.undefined(),
  'POST /v1/invites': z.strictObject({
    name: name.exactOptional(),
    ttlMs: z
      .int()
      .min(1_000)
      .max(30 * 86_400_000)
      .exactOptional(),
  }),
  'POST /v1/run': z.strictObject({
    rounds,
    quorum: z.int().min(1).max(100_000).exactOptional(),
    deadlineMs: z
      .int()
      .min(1_000)
      .max(7 * 86_400_000)
      .exactOptional(),
  }),
  'POST /v1/run/stop': nothing,
  'POST /v1/join': z.strictObject({ invite: z.string().min(1).max(16_384) }),
  'POST /v1/data': z.strictObject({
    name,
    path,
    query: z.string().min(1).max(MAX_TEXT).exactOptional(),
    columns: z.record(z.string().max(64), z.string().max(256)).exactOptional(),
    limit: z.int().min(1).exactOptional(),
    use: z.enum(['train', 'evaluation', 'split']).exactOptional(),
    onlyPrivate: z.boolean().exactOptional(),
    onError: z.enum(['fail', 'skip']).exactOptional(),
    dryRun: z.boolean().exactOptional(),
  }),
  'POST /v1/evaluate': z.strictObject({
    model,
    label: z.enum(['before', 'standalone', 'cotuned', 'after']),
    path: path.exactOptional(),
  }),
  'POST /v1/baseline': z.strictObject({ rounds }),
  'POST /v1/rollback': z.strictObject({ version: z.int().min(0) }),
  'POST /v1/chat': z.strictObject({
    prompt: z.string().min(1).max(MAX_TEXT),
    instruction: z.string().max(MAX_TEXT).exactOptional(),
    model: model.exactOptional(),
    sampling: z
      .strictObject({
        temperature: z.number().min(0).max(100).exactOptional(),
        topK: z.int().min(1).exactOptional(),
        topP: z.number().gt(0).max(1).exactOptional(),
        repetitionPenalty: z.number().gt(0).max(100).exactOptional(),
        seed: z.union([z.number(), z.string().max(256)]).exactOptional(),
      })
      .exactOptional(),
    stop: z.array(z.string().min(1).max(256)).max(16).exactOptional(),
  }),
  'POST /v1/shutdown': nothing,
}

/** The first complaint of a schema in one line: `rounds: expected number`. */
export function complaint(error: z.ZodError): string {
  const issue = error.issues[0]
  if (issue === undefined) return 'the body is not valid'
  const where = issue.path.join('.')
  return where === '' ? issue.message : `${where}: ${issue.message}`
}
