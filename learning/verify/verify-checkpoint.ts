import type { Executor, WeightValue } from '#engine'
import { Generator } from '#learning/generate'
import type { Checkpoint, Family } from '#learning/models'
import { loadTokenizer } from '#learning/text'
import { type GoldenFile, readGoldenFile } from './golden-file.ts'
import { openWeights } from './open-weights.ts'
import { promptLogits } from './prompt-logits.ts'
import { relativeError } from './relative-error.ts'
import { sameIds, tokenizerEqual } from './tokenizer-equal.ts'

interface VerifyInit {
  readonly folder: string
  /** The recorded file. */
  readonly golden: string
  readonly executor: Executor
  readonly signal?: AbortSignal
}

export interface Verification {
  /** The largest {@link relativeError} of all recorded rows. */
  readonly maxRelativeError: number
  /** Whether the decoder, with its cache, gives the recorded tokens after the first prompt. */
  readonly greedyEqual: boolean
  readonly family: Family
  /** Whether all recorded ids and texts are the same; `null` where the file or the folder has none. */
  readonly tokenizerEqual: boolean | null
  readonly prompts: number
  /** Rows of logits that were compared. */
  readonly rows: number
  /** Tokens that the decoder gave as recorded, of `greedyTokens`. */
  readonly greedyMatched: number
  readonly greedyTokens: number
}

/**
 * Holds a checkpoint, as this engine runs it, to what another implementation recorded.
 *
 * @throws CotuneError those of openWeights, and MODEL_GOLDEN_*
 */
export async function verifyCheckpoint(init: VerifyInit): Promise<Verification> {
  const { folder, executor, signal } = init
  const checkpoint = await openWeights(folder)
  const { model } = checkpoint
  const golden = await readGoldenFile(init.golden, model)
  let maxRelativeError = 0
  for (const [b, prompt] of golden.input_ids.entries()) {
    signal?.throwIfAborted()
    const rows = await promptLogits(checkpoint, executor, prompt, golden.positions[b]!)
    for (const [i, row] of rows.entries())
      maxRelativeError = Math.max(maxRelativeError, relativeError(row, golden.logits[b]![i]!))
  }
  const answer = await decodeGreedily(checkpoint, golden, init)
  const differs = golden.greedy.findIndex((id, i) => id !== answer[i])
  return {
    maxRelativeError,
    greedyEqual: sameIds(answer, golden.greedy),
    family: model.family,
    tokenizerEqual: await compareTokenizer(checkpoint, golden, folder),
    prompts: golden.input_ids.length,
    rows: golden.positions.flat().length,
    greedyMatched: differs === -1 ? golden.greedy.length : differs,
    greedyTokens: golden.greedy.length,
  }
}

async function decodeGreedily(
  checkpoint: Checkpoint<WeightValue>,
  { input_ids: [prompt = []], greedy }: GoldenFile,
  { executor, signal }: VerifyInit,
): Promise<Int32Array> {
  const generator = await Generator.create({
    checkpoint,
    executor,
    batch: 1,
    maxPrompt: prompt.length,
    maxNew: greedy.length,
    // The record has so many tokens whatever they are.
    stopIds: [],
  })
  try {
    const [answer] = await generator.generateIds(
      [Int32Array.from(prompt)],
      signal ? { signal } : {},
    )
    return answer!
  } finally {
    await generator.close()
  }
}

async function compareTokenizer(
  checkpoint: Checkpoint<WeightValue>,
  golden: GoldenFile,
  folder: string,
): Promise<boolean | null> {
  if (checkpoint.tokenizer === undefined) return null
  return tokenizerEqual(await loadTokenizer(folder, { parseSpecialTokens: true }), golden) ?? null
}
