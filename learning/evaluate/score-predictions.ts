import { CotuneError } from '#base'
import { type Example, referencesOf } from '#learning/data'
import { exactMatch } from './exact-match.ts'
import { rougeL } from './rouge-l.ts'

/** Means over the examples, in per cent. */
export interface PredictionScores {
  readonly em: number
  readonly rougeL: number
}

/**
 * Exact match and Rouge-L as in MiniLLM and Super-NaturalInstructions: of each example the best over its references.
 *
 * @param predictions in the order of `examples`
 * @throws CotuneError EVALUATE_COUNT if there are not as many predictions as examples
 */
export function scorePredictions(
  examples: readonly Pick<Example, 'output' | 'references'>[],
  predictions: readonly string[],
): PredictionScores {
  if (examples.length !== predictions.length) {
    throw new CotuneError(
      'EVALUATE_COUNT',
      `${predictions.length} predictions for ${examples.length} examples`,
      { hint: 'Give one prediction for each example, in the same order.' },
    )
  }
  let exact = 0
  let overlap = 0
  for (const [i, example] of examples.entries()) {
    const prediction = predictions[i]!
    const references = referencesOf(example)
    if (references.some((reference) => exactMatch(prediction, reference))) exact++
    overlap += Math.max(...references.map((reference) => rougeL(prediction, reference)))
  }
  const count = Math.max(1, examples.length)
  return { em: (100 * exact) / count, rougeL: (100 * overlap) / count }
}
