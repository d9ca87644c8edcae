import { z } from 'zod'
import { configInvalid, configUnsupported } from './hf-config.ts'
import { positive, size } from './hf-fields.ts'
import type { RopeConfig, RopeScaling } from './rope.ts'

const factors = z.array(positive, 'must be a list of positive numbers')

const scaling = z.strictObject({
  rope_type: z.string('must be a name').optional(),
  type: z.string('must be a name').optional(),
  rope_theta: positive.nullish(),
  partial_rotary_factor: positive.nullish(),
  factor: positive.nullish(),
  low_freq_factor: positive.nullish(),
  high_freq_factor: positive.nullish(),
  original_max_position_embeddings: size.nullish(),
  attention_factor: positive.nullish(),
  short_factor: factors.nullish(),
  long_factor: factors.nullish(),
  // Of types that are refused by their name.
  beta_fast: z.number().nullish(),
  beta_slow: z.number().nullish(),
  mscale: z.number().nullish(),
  mscale_all_dim: z.number().nullish(),
  truncate: z.boolean().nullish(),
})

/** `rope_theta` and `rope_scaling`, or `rope_parameters`, which took their place in transformers 5. */
export const ropeFields = {
  rope_theta: positive.nullish(),
  rope_scaling: scaling.nullish(),
  rope_parameters: scaling.nullish(),
  partial_rotary_factor: positive.nullish(),
} as const

type RopeFields = z.infer<z.ZodObject<typeof ropeFields>>
type Scaling = z.infer<typeof scaling>

export interface RopeSizes {
  readonly headSize: number
  readonly contextLength: number
  /** Where the context of the first training is an option of its own. */
  readonly originalContextLength?: number | undefined
  readonly defaultTheta?: number
  readonly defaultPart?: number
}

export interface ParsedRope {
  readonly rope: RopeConfig
  readonly rotaryWidth: number
  /** Shorter than what the configuration says where only the original context is built. */
  readonly contextLength: number
}

/** @throws CotuneError MODEL_CONFIG_INVALID or MODEL_CONFIG_UNSUPPORTED, naming the key */
export function parseRope(hf: RopeFields, sizes: RopeSizes): ParsedRope {
  const key = hf.rope_parameters ? 'rope_parameters' : 'rope_scaling'
  const options = hf.rope_parameters ?? hf.rope_scaling ?? {}
  const { headSize, contextLength, defaultTheta = 10_000, defaultPart = 1 } = sizes
  const theta = options.rope_theta ?? hf.rope_theta ?? defaultTheta
  const part = options.partial_rotary_factor ?? hf.partial_rotary_factor ?? defaultPart
  const rotaryWidth = Math.trunc(headSize * part)
  if (rotaryWidth % 2 !== 0 || rotaryWidth === 0 || rotaryWidth > headSize)
    throw configInvalid(
      'partial_rotary_factor',
      `rotary positions need an even part of each head, got ${rotaryWidth} of ${headSize}`,
    )
  const type = options.rope_type ?? options.type ?? 'default'
  const need = <K extends keyof Scaling>(name: K): NonNullable<Scaling[K]> => {
    const value = options[name]
    if (value === undefined || value === null)
      throw configInvalid(`${key}.${name}`, `${key}.${name} is missing`)
    return value
  }
  const result = (scaling: RopeScaling, length = contextLength): ParsedRope => ({
    rope: { theta, scaling },
    rotaryWidth,
    contextLength: length,
  })
  switch (type) {
    case 'default':
      return result({ type })
    case 'linear':
      return result({ type, factor: need('factor') })
    case 'llama3':
      return result({
        type,
        factor: need('factor'),
        lowFrequencyFactor: need('low_freq_factor'),
        highFrequencyFactor: need('high_freq_factor'),
        originalContextLength: need('original_max_position_embeddings'),
      })
    case 'longrope':
    case 'su': {
      const original = options.original_max_position_embeddings ?? sizes.originalContextLength
      if (original === undefined) break
      const shortFactors = need('short_factor')
      if (shortFactors.length !== rotaryWidth / 2)
        throw configInvalid(
          `${key}.short_factor`,
          `${key}.short_factor has ${shortFactors.length} numbers, rotary positions need ${rotaryWidth / 2}`,
        )
      const stretch = Math.max(1, contextLength / original)
      const attentionFactor =
        options.attention_factor ?? Math.sqrt(1 + Math.log(stretch) / Math.log(original))
      const longrope = { type: 'longrope', shortFactors, attentionFactor } as const
      return result(longrope, Math.min(contextLength, original))
    }
  }
  const built = `default, linear, llama3${sizes.originalContextLength === undefined ? '' : ', longrope'}`
  throw configUnsupported(`${key}.rope_type`, type, `supported: ${built}`)
}
