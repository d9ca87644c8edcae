import type { Random } from '#base'
import {
  type EncodedExample,
  type Example,
  encodeExample,
  encodeText,
  type PackedBatch,
  packExamples,
} from '#learning/data'
import type { Tokenizer } from '#learning/text'
import type { BatchShape } from '#learning/train'
import { LENGTH, type Pretraining, type Refining } from './recipe.ts'

const BATCH = 24
const PROMPT_WEIGHT = 0.3

/** All positions are supervised when a model is made from scratch: prompts too, at a lower weight. */
export const PRETRAINING_SHAPE: BatchShape = {
  batch: BATCH,
  length: LENGTH,
  rows: BATCH * LENGTH,
  examples: 256,
}

/** Later only the answers are. */
export const REFINING_SHAPE: BatchShape = { ...PRETRAINING_SHAPE, rows: (BATCH * LENGTH) / 2 }

export interface BatchesInit {
  readonly tokenizer: Tokenizer
  readonly rows: readonly Example[]
  readonly prose: readonly string[]
  readonly random: Random
}

/** Half of the prose comes first, the rest among the rows of the first epoch; each epoch is shuffled apart. */
export function pretrainingBatches(
  { tokenizer, rows, prose, random }: BatchesInit,
  { epochs, proseTokens }: Pretraining,
): PackedBatch[] {
  const options = { maxLength: LENGTH + 1, promptWeight: PROMPT_WEIGHT }
  const encoded = rows.map((row) => encodeExample(tokenizer, row, options))
  const sequences = encodeProse(tokenizer, prose, proseTokens, random.fork('prose'))
  const batches = packExamples(sequences.slice(0, sequences.length / 2), PRETRAINING_SHAPE)
  for (let epoch = 0; epoch < epochs; epoch++) {
    const share = epoch === 0 ? sequences.slice(sequences.length / 2) : []
    const order = random.fork(`epoch ${epoch}`).shuffle([...encoded, ...share])
    batches.push(...packExamples(order, PRETRAINING_SHAPE))
  }
  return batches
}

/** Every domain has the same say: large ones are sampled anew each epoch, small ones come more than once. */
export function refiningBatches(
  { tokenizer, rows, random }: Omit<BatchesInit, 'prose'>,
  { epochs, rowsPerDomain, maxRepeats }: Refining,
): PackedBatch[] {
  const byDomain = groupByDomain(rows)
  return Array.from({ length: epochs }, (_, epoch) => {
    const stream = random.fork(`refining ${epoch}`)
    const chosen = [...byDomain.values()].flatMap((own) =>
      Array.from({ length: maxRepeats }, () => stream.shuffle(own))
        .flat()
        .slice(0, rowsPerDomain),
    )
    const encoded = stream
      .shuffle(chosen)
      .map((row) => encodeExample(tokenizer, row, { maxLength: LENGTH + 1 }))
    return packExamples(encoded, REFINING_SHAPE)
  }).flat()
}

function encodeProse(
  tokenizer: Tokenizer,
  paragraphs: readonly string[],
  tokens: number,
  random: Random,
): EncodedExample[] {
  const sequences: EncodedExample[] = []
  let count = 0
  for (const paragraph of random.shuffle(paragraphs)) {
    if (count >= tokens) break
    for (const sequence of encodeText(tokenizer, paragraph, LENGTH + 1)) {
      sequences.push(sequence)
      count += sequence.tokens.length
    }
  }
  return sequences
}

function groupByDomain(rows: readonly Example[]): ReadonlyMap<string, readonly Example[]> {
  const groups = new Map<string, Example[]>()
  for (const row of rows) {
    const domain = row.domain ?? ''
    const group = groups.get(domain)
    if (group) group.push(row)
    else groups.set(domain, [row])
  }
  return groups
}
