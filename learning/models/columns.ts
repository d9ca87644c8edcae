import { CotuneError, EXIT } from '#base'
import type { HiddenInputs, ModelConfig } from './causal-model.ts'

/**
 * How many columns a pass attends to at most, hence how many positions it needs.
 *
 * @throws CotuneError MODEL_CONTEXT_EXCEEDED
 */
export function columnsOf({ tokens, cache }: HiddenInputs, config: ModelConfig): number {
  const columns = cache?.limit ?? tokens.shape[1]!
  if (columns <= config.contextLength) return columns
  throw new CotuneError(
    'MODEL_CONTEXT_EXCEEDED',
    `the model reads ${config.contextLength} tokens at most, ${columns} were asked for`,
    {
      hint: 'Shorten the sequence length, or choose a model with a longer context.',
      exit: EXIT.data,
    },
  )
}
