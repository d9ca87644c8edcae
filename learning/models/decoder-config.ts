import { z } from 'zod'
import type { Family, ModelConfig } from './causal-model.ts'
import { configInvalid, configUnsupported } from './hf-config.ts'
import {
  activation,
  commonFields,
  flag,
  headCount,
  layerCount,
  layerTypes,
  positive,
  size,
} from './hf-fields.ts'
import { parseRope, ropeFields } from './hf-rope.ts'
import type { LayerAttention } from './layer-attention.ts'

/** The options of the families with rotary positions. */
export const transformerFields = {
  ...commonFields,
  ...ropeFields,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: layerCount,
  num_attention_heads: headCount,
  max_position_embeddings: size.default(2_048),
  tie_word_embeddings: flag.default(false),
} as const

/** The options of Llama and its many relatives, with Llama's defaults; a family overwrites what differs. */
export const decoderFields = {
  ...transformerFields,
  num_key_value_heads: headCount.nullish(),
  head_dim: size.nullish(),
  rms_norm_eps: positive.default(1e-6),
  hidden_act: activation.default('silu'),
  layer_types: layerTypes,
} as const

export type DecoderFields = z.infer<z.ZodObject<typeof decoderFields>>

export interface DecoderOptions {
  readonly family: Family
  /** The window of `sliding_attention` layers, in tokens. */
  readonly window?: number | undefined
  /** Whether a layer attends within the window, where `layer_types` does not say. */
  readonly slides?: (layer: number) => boolean
  /** Whether a layer rotates its heads; all do unless told. */
  readonly rotates?: (layer: number) => boolean
  readonly attention?: Partial<LayerAttention>
  readonly variant?: Readonly<Record<string, unknown>>
  readonly defaultTheta?: number
  readonly defaultPart?: number
  readonly originalContextLength?: number | undefined
}

/** The windows of Qwen2 and Qwen3, off unless asked for. */
export const upperWindowFields = {
  use_sliding_window: flag.default(false),
  sliding_window: size.nullable().default(4_096),
  max_window_layers: z.int('must be a number of layers').nonnegative().default(28),
} as const

/** The layers from `max_window_layers` on attend within the window. */
export function upperWindow(
  hf: z.infer<z.ZodObject<typeof upperWindowFields>>,
): Pick<DecoderOptions, 'window' | 'slides'> {
  const window = hf.use_sliding_window ? (hf.sliding_window ?? undefined) : undefined
  return { window, slides: (layer) => layer >= hf.max_window_layers }
}

/** @throws CotuneError MODEL_CONFIG_INVALID or MODEL_CONFIG_UNSUPPORTED, naming the key */
export function decoderConfig(hf: DecoderFields, options: DecoderOptions): ModelConfig {
  const { family, slides = () => false, rotates = () => true, window, variant = {} } = options
  const sizes = headSizes(hf)
  const { rope, rotaryWidth, contextLength } = parseRope(hf, {
    ...options,
    headSize: sizes.headSize,
    contextLength: hf.max_position_embeddings,
  })
  const layers = hf.num_hidden_layers
  const sliding = slidingLayers(hf.layer_types, layers, window, slides)
  return {
    family,
    vocabularySize: hf.vocab_size,
    hiddenSize: hf.hidden_size,
    layers,
    ...sizes,
    intermediateSize: hf.intermediate_size,
    contextLength,
    tiedHead: hf.tie_word_embeddings,
    epsilon: hf.rms_norm_eps,
    rope,
    attention: sliding.map((slidesHere, layer) => ({
      scale: 1 / Math.sqrt(sizes.headSize),
      rotaryWidth: rotates(layer) ? rotaryWidth : 0,
      ...(slidesHere ? { window: window! } : {}),
      ...options.attention,
    })),
    variant: { activation: hf.hidden_act, ...variant },
    eosIds: hf.eos_token_id,
    bosId: hf.bos_token_id ?? undefined,
  }
}

/** The sizes of attention heads, checked against each other. */
export function headSizes(hf: {
  readonly hidden_size: number
  readonly num_attention_heads: number
  readonly num_key_value_heads?: number | null | undefined
  readonly head_dim?: number | null | undefined
}): { heads: number; keyValueHeads: number; headSize: number } {
  const heads = hf.num_attention_heads
  const keyValueHeads = hf.num_key_value_heads ?? heads
  if (heads % keyValueHeads !== 0)
    throw configInvalid(
      'num_key_value_heads',
      `num_attention_heads ${heads} is not divisible by num_key_value_heads ${keyValueHeads}`,
    )
  const headSize = hf.head_dim ?? hf.hidden_size / heads
  if (!Number.isInteger(headSize))
    throw configInvalid(
      'num_attention_heads',
      `hidden_size ${hf.hidden_size} is not divisible by num_attention_heads ${heads}`,
    )
  if (headSize > MAX_HEAD_SIZE)
    throw configInvalid('head_dim', `heads of ${headSize} elements are too large`)
  return { heads, keyValueHeads, headSize }
}

const MAX_HEAD_SIZE = 65_536

/** Which layers attend within a window. */
function slidingLayers(
  types: readonly string[] | null | undefined,
  layers: number,
  window: number | undefined,
  slides: (layer: number) => boolean,
): readonly boolean[] {
  const all = Array.from({ length: layers }, (_, layer) => layer)
  if (types === undefined || types === null)
    return all.map((layer) => window !== undefined && slides(layer))
  if (types.length !== layers)
    throw configInvalid(
      'layer_types',
      `layer_types names ${types.length} layers, num_hidden_layers says ${layers}`,
    )
  const built = window === undefined ? [FULL] : [FULL, SLIDING]
  const other = types.find((type) => !built.includes(type))
  if (other !== undefined)
    throw configUnsupported('layer_types', other, `supported: ${built.join(', ')}`)
  return types.map((type) => type === SLIDING)
}

const FULL = 'full_attention'
const SLIDING = 'sliding_attention'
