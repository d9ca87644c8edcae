import { z } from 'zod'
import { CotuneError, EXIT } from '#base'
import type { RopeConfig, RopeScaling } from './rope.ts'

/** A config.json as Hugging Face writes it; keys that change nothing here are kept and not looked at. */
export type HfConfig = Readonly<Record<string, unknown>>

/** Pieces of the families' schemas. The bounds keep a hostile file from asking for endless tables. */
const POSITIVE = 'must be a positive integer'
export const size = z
  .int(POSITIVE)
  .positive(POSITIVE)
  .max(2 ** 31 - 1, 'is too large')
export const layerCount = size.max(1_000, 'is too large')
export const positive = z.number('must be a positive number').positive('must be a positive number')
export const flag = z.boolean('must be true or false')
export const tokenId = z.int('must be a token id').nonnegative('must be a token id')
export const tokenIds = z.union(
  [tokenId.transform((id) => [id]), z.array(tokenId), z.null().transform((): number[] => [])],
  'must be a token id or a list of them',
)

/**
 * Reads `config` with a family's schema.
 *
 * @throws CotuneError MODEL_CONFIG_INVALID, naming the key
 */
export function parseHfConfig<T>(schema: z.ZodType<T>, config: HfConfig): T {
  const result = schema.safeParse(config)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const key = issue?.path.join('.') ?? ''
  const value = issue?.path.reduce<unknown>(
    (at, part) => (at as Record<PropertyKey, unknown> | undefined)?.[part],
    config,
  )
  const problem =
    value === undefined ? 'is missing' : `${issue?.message}, got ${JSON.stringify(value)}`
  throw configInvalid(key, `${key} ${problem}`)
}

export function configInvalid(key: string, message: string): CotuneError {
  return new CotuneError('MODEL_CONFIG_INVALID', `config.json: ${message}`, {
    hint: 'Correct config.json, or download it again together with its weights.',
    data: { key },
    exit: EXIT.data,
  })
}

/**
 * Refuses an option that would change the model's numbers in a way that is not built.
 *
 * @throws CotuneError MODEL_CONFIG_UNSUPPORTED, naming the key
 */
export function requireOption(config: HfConfig, key: string, allowed: readonly unknown[]): void {
  const value = config[key]
  if (value === undefined || value === null || allowed.includes(value)) return
  throw configUnsupported(
    key,
    value,
    `supported: ${allowed.map((v) => JSON.stringify(v)).join(', ')}`,
  )
}

export function configUnsupported(key: string, value: unknown, supported: string): CotuneError {
  return new CotuneError(
    'MODEL_CONFIG_UNSUPPORTED',
    `config.json: ${key} ${JSON.stringify(value)} is not supported (${supported})`,
    { hint: 'Choose another checkpoint of the family.', data: { key }, exit: EXIT.data },
  )
}

/** Options no family supports when set. */
export function refuseForeignOptions(config: HfConfig): void {
  if (config.quantization_config !== undefined && config.quantization_config !== null)
    throw configUnsupported('quantization_config', '...', 'weights in F32, F16 or BF16')
  requireOption(config, 'is_encoder_decoder', [false])
  requireOption(config, 'add_cross_attention', [false])
}

const scalingSchema = z.object({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  rope_theta: positive.optional(),
  factor: positive.optional(),
  low_freq_factor: positive.optional(),
  high_freq_factor: positive.optional(),
  original_max_position_embeddings: size.optional(),
})

const ropeSchema = z.object({
  rope_theta: positive.optional(),
  rope_scaling: scalingSchema.nullish(),
  rope_parameters: scalingSchema.nullish(),
})

/** `rope_theta` and `rope_scaling`, or `rope_parameters`, which took their place in transformers 5. */
export function parseRope(config: HfConfig, contextLength: number): RopeConfig {
  const parsed = parseHfConfig(ropeSchema, config)
  const key = parsed.rope_parameters ? 'rope_parameters' : 'rope_scaling'
  const scaling = parsed.rope_parameters ?? parsed.rope_scaling ?? {}
  const theta = scaling.rope_theta ?? parsed.rope_theta ?? 10_000
  return { theta, scaling: parseScaling(scaling, key, contextLength) }
}

function parseScaling(
  scaling: z.infer<typeof scalingSchema>,
  key: string,
  contextLength: number,
): RopeScaling {
  const type = scaling.rope_type ?? scaling.type ?? 'default'
  if (type === 'default') return { type }
  const { factor } = scaling
  if (type !== 'linear' && type !== 'llama3')
    throw configUnsupported(`${key}.rope_type`, type, 'supported: default, linear, llama3')
  if (factor === undefined) throw configInvalid(`${key}.factor`, `${key}.factor is missing`)
  if (type === 'linear') return { type, factor }
  return {
    type,
    factor,
    lowFrequencyFactor: scaling.low_freq_factor ?? 1,
    highFrequencyFactor: scaling.high_freq_factor ?? 4,
    originalContextLength: scaling.original_max_position_embeddings ?? contextLength,
  }
}
