import { z } from 'zod'
import { configInvalid, configUnsupported } from './hf-config.ts'
import { flag, positive, size } from './hf-fields.ts'
import type { RopeConfig, RopeScaling } from './rope.ts'

const factors = z.array(positive, 'must be a list of positive numbers')

/** Zero is as good as left out. */
const turns = z.number('must be a number').nonnegative('must not be negative').nullish()

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
  beta_fast: turns,
  beta_slow: turns,
  mscale: turns,
  mscale_all_dim: turns,
  truncate: flag.nullish(),
})

/**
 * `rope_theta` and `rope_scaling`, or `rope_parameters`, which took their place in transformers 5; where both are there it
 * reads `rope_scaling`.
 */
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
  /** Phi-3's own option, the context of its first training; such a family is stretched by LongRoPE alone. */
  readonly originalContextLength?: number | undefined
  readonly defaultTheta?: number
  /** The part of each head that rotates unless told, in families that may leave a rest; the others rotate all of it. */
  readonly defaultPart?: number
}

export interface ParsedRope {
  readonly rope: RopeConfig
  readonly rotaryWidth: number
  /** Shorter than what the configuration says where only the original context is built. */
  readonly contextLength: number
}

/**
 * Follows `modeling_rope_utils.py` of transformers.
 *
 * @throws CotuneError MODEL_CONFIG_INVALID or MODEL_CONFIG_UNSUPPORTED, naming the key
 */
export function parseRope(hf: RopeFields, sizes: RopeSizes): ParsedRope {
  // Where both are written, transformers 5 reads rope_scaling, unless it is empty.
  const isOldSpelling = Object.keys(hf.rope_scaling ?? {}).length > 0 || !hf.rope_parameters
  const key = isOldSpelling ? 'rope_scaling' : 'rope_parameters'
  const options = hf[key] ?? {}
  const { contextLength, originalContextLength: original } = sizes
  const theta = options.rope_theta ?? hf.rope_theta ?? sizes.defaultTheta ?? 10_000
  const rotaryWidth = widthOf(options.partial_rotary_factor ?? hf.partial_rotary_factor, sizes)
  const need: Need = (name) => {
    const value = options[name]
    if (value === undefined || value === null)
      throw configInvalid(`${key}.${name}`, `${key}.${name} is missing`)
    return value
  }
  const type = options.rope_type ?? options.type ?? 'default'
  if (original !== undefined && (type === 'longrope' || type === 'su')) {
    const shortFactors = need('short_factor')
    if (shortFactors.length !== rotaryWidth / 2)
      throw configInvalid(
        `${key}.short_factor`,
        `${key}.short_factor has ${shortFactors.length} numbers, rotary positions need ${rotaryWidth / 2}`,
      )
    const stretch = Math.max(1, options.factor ?? contextLength / original)
    const attentionFactor =
      options.attention_factor ?? Math.sqrt(1 + Math.log(stretch) / Math.log(original))
    const scaling = { type: 'longrope', shortFactors, attentionFactor } as const
    return {
      rope: { theta, scaling },
      rotaryWidth,
      contextLength: Math.min(contextLength, original),
    }
  }
  const built = [
    'default',
    ...(original === undefined ? ['linear', 'dynamic', 'yarn', 'llama3'] : ['longrope']),
  ]
  if (!built.includes(type))
    throw configUnsupported(`${key}.rope_type`, type, `supported: ${built.join(', ')}`)
  const scaling = scalingOf(type, need, options, contextLength)
  return { rope: { theta, scaling }, rotaryWidth, contextLength }
}

type Need = <K extends keyof Scaling>(name: K) => NonNullable<Scaling[K]>

function scalingOf(type: string, need: Need, options: Scaling, contextLength: number): RopeScaling {
  switch (type) {
    case 'dynamic':
      // Stretches beyond the context that a model is built for, and not before.
      need('factor')
      return { type: 'default' }
    case 'yarn': {
      // As written, like transformers 5 and llama.cpp; transformers 4 took the ratio of both contexts for a while.
      const factor = need('factor')
      return {
        type,
        factor,
        originalContextLength: options.original_max_position_embeddings ?? contextLength,
        turns: { fast: options.beta_fast || 32, slow: options.beta_slow || 1 },
        truncate: options.truncate ?? true,
        attentionFactor: options.attention_factor ?? yarnAttention(factor, options),
      }
    }
    case 'linear':
      return { type, factor: need('factor') }
    case 'llama3':
      return {
        type,
        factor: need('factor'),
        lowFrequencyFactor: need('low_freq_factor'),
        highFrequencyFactor: need('high_freq_factor'),
        originalContextLength: need('original_max_position_embeddings'),
      }
    default:
      return { type: 'default' }
  }
}

/** What scores gain with the stretched context: 0.1 ln(factor) + 1, or a ratio of two such (DeepSeek). */
function yarnAttention(factor: number, { mscale, mscale_all_dim: all }: Scaling): number {
  const gain = (weight: number) => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1)
  return mscale && all ? gain(mscale) / gain(all) : gain(1)
}

function widthOf(told: number | null | undefined, { headSize, defaultPart }: RopeSizes): number {
  const part = told ?? defaultPart ?? 1
  // Transformers ignores it in these families or fails, by the type of scaling.
  if (defaultPart === undefined && part !== 1)
    throw configUnsupported('partial_rotary_factor', part, 'supported: 1')
  const width = Math.trunc(headSize * part)
  if (width % 2 !== 0 || width === 0 || width > headSize)
    throw configInvalid(
      'partial_rotary_factor',
      `rotary positions need an even part of each head, got ${width} of ${headSize}`,
    )
  return width
}
