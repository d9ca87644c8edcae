import {
  argMax,
  createProgram,
  DYNAMIC_SIZES,
  gather,
  input,
  type Program,
  type Shape,
} from '#engine'
import { type CausalModel, cachedHeadSize, type ParameterScope } from '#learning/models'

const [ROWS, TOKENS, COLUMNS] = DYNAMIC_SIZES

/** What a layer's keys and values are called among the inputs and outputs. */
export const keysName = (layer: number) => `keys.${layer}`
export const valuesName = (layer: number) => `values.${layer}`

/**
 * One program for reading prompts and for adding a token to each row, so that a model's weights are in memory once. B rows of S
 * new tokens each, N = B * S, and T columns of a cache may differ from run to run.
 *
 * Inputs: `tokens` and `positions` int32 [N, 1], `lengths` int32 [B] with the new tokens, `last` int32 [B] which of the N are the
 * rows' last ones, the cache as `keys.N` and `values.N` [B, G, T, W]. Outputs: for the last ones `logits` [B, V] and `next` int32
 * [B], the most probable token; what all N add to the cache as `keys.N` and `values.N` [N, G * W].
 *
 * @param limit the most tokens of a row
 * @throws CotuneError MODEL_CONTEXT_EXCEEDED
 */
export function createDecodingProgram(
  model: CausalModel,
  scope: ParameterScope,
  limit: number,
): Program {
  const { layers, keyValueHeads } = model.config
  const shape: Shape = [ROWS, keyValueHeads, COLUMNS, cachedHeadSize(model.config)]
  const cached = (name: (layer: number) => string) =>
    Array.from({ length: layers }, (_, layer) => input(name(layer), shape))
  const { states, keys, values } = model.hidden(
    {
      tokens: input('tokens', [TOKENS, 1], 'int32'),
      positions: input('positions', [TOKENS, 1], 'int32'),
      cache: {
        keys: cached(keysName),
        values: cached(valuesName),
        lengths: input('lengths', [ROWS], 'int32'),
        limit,
      },
    },
    scope,
  )
  const logits = model.logits(gather(states, input('last', [ROWS], 'int32')), scope)
  return createProgram({
    outputs: {
      next: argMax(logits),
      logits,
      ...Object.fromEntries(keys.map((node, layer) => [keysName(layer), node])),
      ...Object.fromEntries(values.map((node, layer) => [valuesName(layer), node])),
    },
  })
}
