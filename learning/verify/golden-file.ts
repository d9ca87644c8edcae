import { z } from 'zod'
import { CotuneError, EXIT, isCotuneError, readJson, readRegularFile, shown } from '#base'
import type { CausalModel } from '#learning/models'

/** Rows of a vocabulary of 256,000 take 2.5 MB each. */
const MAX_BYTES = 400_000_000

const id = z.int().nonnegative()

const tokenizerCase = z.object({
  text: z.string(),
  ids: z.array(id),
  /** Where Hugging Face and SentencePiece differ, what the former gives. */
  hf_ids: z.array(id).optional(),
  decoded: z.string().optional(),
})

const schema = z.object({
  /** Prompts, run one by one. */
  input_ids: z.array(z.array(id).min(1)).min(1),
  /** Of each prompt: which rows were recorded. */
  positions: z.array(z.array(id).min(1)),
  /** Of each prompt and position: the whole row of logits. */
  logits: z.array(z.array(z.array(z.number()))),
  /** Greedy tokens after the first prompt, whatever they are. */
  greedy: z.array(id).min(1),
  /** The prompts as text, where there is a tokenizer. */
  text: z.array(z.string()).optional(),
  tokenizer_cases: z.array(tokenizerCase).optional(),
})

/** What another implementation computed with a checkpoint: the form of ../shared/checkpoints. */
export type GoldenFile = z.infer<typeof schema>

/**
 * Reads a recorded file and checks that it can be of this model.
 *
 * @throws CotuneError MODEL_GOLDEN_UNREADABLE, MODEL_GOLDEN_INVALID, MODEL_GOLDEN_MISMATCH
 */
export async function readGoldenFile(path: string, model: CausalModel): Promise<GoldenFile> {
  const reading = readJson(await readBytes(path))
  if (!('value' in reading)) throw invalid(path, reading.problem, reading.cause)
  const parsed = schema.safeParse(reading.value, { error: missingKey })
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const where = shown(issue?.path.join('.') || 'its content')
    throw invalid(path, `is not a record of logits: ${where}: ${shown(issue?.message ?? '')}`)
  }
  checkShape(path, parsed.data)
  checkFits(path, parsed.data, model)
  return parsed.data
}

/** What is said of a key that is not there; of others zod says it. */
function missingKey({ input }: { readonly input?: unknown }): string | undefined {
  return input === undefined ? 'it is missing' : undefined
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await readRegularFile(path, MAX_BYTES)
  } catch (cause) {
    if (!isCotuneError(cause, 'FILE_UNREADABLE')) throw cause
    throw new CotuneError('MODEL_GOLDEN_UNREADABLE', cause.message, {
      hint: 'Give the golden.json that was recorded with this checkpoint.',
      cause,
      data: cause.data,
      exit: EXIT.data,
    })
  }
}

function checkShape(path: string, golden: GoldenFile): void {
  const { input_ids, positions, logits, text } = golden
  const prompts = input_ids.length
  if (positions.length !== prompts || logits.length !== prompts)
    throw invalid(path, 'has not one list of positions and of logits for each prompt')
  if (text !== undefined && text.length !== prompts)
    throw invalid(path, 'has not one text for each prompt')
  for (const [b, ids] of input_ids.entries()) {
    if (positions[b]!.length !== logits[b]!.length)
      throw invalid(path, `has not one row of logits for each position of prompt ${b}`)
    if (positions[b]!.some((position) => position >= ids.length))
      throw invalid(path, `has a position past the end of prompt ${b}`)
  }
}

function checkFits(path: string, golden: GoldenFile, { config }: CausalModel): void {
  const { vocabularySize, contextLength } = config
  const width = golden.logits.flat().find((row) => row.length !== vocabularySize)?.length
  if (width !== undefined)
    throw mismatch(path, `a row has ${width} logits, the model's have ${vocabularySize}`)
  const largest = [...golden.input_ids, golden.greedy].flat().find((x) => x >= vocabularySize)
  if (largest !== undefined)
    throw mismatch(path, `it holds token ${largest}, the vocabulary has ${vocabularySize}`)
  const longest = Math.max(...golden.input_ids.map(({ length }) => length))
  const tokens = Math.max(longest, golden.input_ids[0]!.length + golden.greedy.length)
  if (tokens > contextLength)
    throw mismatch(path, `it has ${tokens} tokens, the model reads ${contextLength}`)
}

const HINT = 'Record it anew, in the form that docs/operations.md describes.'

function invalid(path: string, problem: string, cause?: unknown): CotuneError {
  return new CotuneError('MODEL_GOLDEN_INVALID', `${path} ${problem}`, {
    hint: HINT,
    data: { path },
    exit: EXIT.data,
    cause,
  })
}

function mismatch(path: string, problem: string): CotuneError {
  return new CotuneError('MODEL_GOLDEN_MISMATCH', `${path} is of another model: ${problem}`, {
    hint: 'Give the file that was recorded with this checkpoint.',
    data: { path },
    exit: EXIT.data,
  })
}
