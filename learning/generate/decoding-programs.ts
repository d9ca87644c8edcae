import {
  add,
  argMax,
  constant,
  createProgram,
  gather,
  input,
  type Node,
  type Program,
} from '#engine'
import type { CausalModel, HiddenStates, ParameterScope } from '#learning/models'

/** The sizes a pair of programs is compiled for. */
export interface DecodingShape {
  readonly batch: number
  /** Longest prompt in tokens, P. */
  readonly prompt: number
  /** Columns of the cache, T. */
  readonly columns: number
}

/** What a layer's keys and values are called among the inputs and outputs. */
export const keysName = (layer: number) => `keys.${layer}`
export const valuesName = (layer: number) => `values.${layer}`

/**
 * Reads whole prompts: `tokens` int32 [B, P] padded on the right, `last` int32 [B] the column of each row's last token.
 * Gives `next` int32 [B], the most probable token after it, and the keys and values of all columns, [B, G, P, D].
 */
export function createPrefillProgram(
  model: CausalModel,
  scope: ParameterScope,
  { batch, prompt }: DecodingShape,
): Program {
  const tokens = input('tokens', [batch, prompt], 'int32')
  const last = input('last', [batch], 'int32')
  // Causal attention keeps what is right of a token out of it, so padding needs no mask here.
  const positions = constant(
    Int32Array.from({ length: batch * prompt }, (_, i) => i % prompt),
    [batch, prompt],
  )
  const hidden = model.hidden({ tokens, positions }, scope)
  const rowStarts = constant(
    Int32Array.from({ length: batch }, (_, row) => row * prompt),
    [batch],
  )
  return decodingProgram(model, scope, hidden, gather(hidden.states, add(rowStarts, last)))
}

/**
 * One token a row: `tokens` and `positions` int32 [B, 1], the cache as `keys.N` and `values.N` [B, G, T, D] and `filled`
 * float32 [B, T]. Gives `next` int32 [B] and the keys and values of these tokens, [B, G, 1, D].
 */
export function createStepProgram(
  model: CausalModel,
  scope: ParameterScope,
  { batch, columns }: DecodingShape,
): Program {
  const { layers, keyValueHeads, headSize } = model.config
  const cached = (name: (layer: number) => string) =>
    Array.from({ length: layers }, (_, layer) =>
      input(name(layer), [batch, keyValueHeads, columns, headSize]),
    )
  const hidden = model.hidden(
    {
      tokens: input('tokens', [batch, 1], 'int32'),
      positions: input('positions', [batch, 1], 'int32'),
      cache: {
        keys: cached(keysName),
        values: cached(valuesName),
        filled: input('filled', [batch, columns]),
      },
    },
    scope,
  )
  return decodingProgram(model, scope, hidden, hidden.states)
}

function decodingProgram(
  model: CausalModel,
  scope: ParameterScope,
  { keys, values }: HiddenStates,
  rows: Node,
): Program {
  const outputs: Record<string, Node> = { next: argMax(model.logits(rows, scope)) }
  for (let layer = 0; layer < model.config.layers; layer++) {
    outputs[keysName(layer)] = keys[layer]!
    outputs[valuesName(layer)] = values[layer]!
  }
  return createProgram({ outputs })
}
