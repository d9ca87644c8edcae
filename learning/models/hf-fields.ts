import { z } from 'zod'
import { ACTIVATION_NAMES } from './activations.ts'

// Pieces of the families' configurations. The bounds keep a hostile file from asking for endless tables.

const POSITIVE = 'must be a positive integer'
export const size = z
  .int(POSITIVE)
  .positive(POSITIVE)
  .max(2 ** 31 - 1, 'is too large')
export const layerCount = size.max(1_000, 'is too large')
export const headCount = size.max(65_536, 'is too large')
/** The engine computes in float32, in which more than this is infinite. */
const MAX_FLOAT32 = (2 - 2 ** -23) * 2 ** 127
export const positive = z
  .number('must be a positive number')
  .positive('must be a positive number')
  .max(MAX_FLOAT32, 'is too large')
export const flag = z.boolean('must be true or false')

const tokenId = z.int('must be a token id').nonnegative('must be a token id')
const tokenIds = z.union(
  [tokenId.transform((id) => [id]), z.array(tokenId), z.null().transform((): number[] => [])],
  'must be a token id or a list of them',
)

/** An option of which only these values are built; another is unsupported rather than invalid. */
function choice<const T>(values: readonly T[]) {
  const supported = values.map((value) => JSON.stringify(value)).join(', ') || 'none'
  return z.custom<T>((value) => values.includes(value as T), { params: { supported } })
}

/** An option that may be left out or be null, or have one of the values that are built. */
export const only = (...values: readonly unknown[]) => choice(values).nullish()

export const activation = choice(ACTIVATION_NAMES)

/** One a layer, see {@link layerWindows}. */
export const layerTypes = z.array(z.string('must be a list of names'), 'must be a list').nullish()

/** What every family has. */
export const commonFields = {
  model_type: z.string(),
  vocab_size: size,
  bos_token_id: tokenId.nullish(),
  eos_token_id: tokenIds.default([]),
  is_encoder_decoder: only(false),
  add_cross_attention: only(false),
  quantization_config: z
    .custom((value) => value === null, { params: { supported: 'weights in F32, F16 or BF16' } })
    .optional(),
} as const
