import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createRandom } from '#base'
import { createExecutor } from '#engine'
import type { PackedBatch } from '#learning/data'
import {
  type CausalModel,
  countParameters,
  createModel,
  initialise,
  loadCheckpoint,
  saveCheckpoint,
} from '#learning/models'
import {
  createTokenizer,
  parseTokenizerFile,
  saveTokenizer,
  type Tokenizer,
  type TokenizerFile,
} from '#learning/text'
import {
  PRETRAINING_SHAPE,
  pretrainingBatches,
  REFINING_SHAPE,
  refiningBatches,
} from './batches.ts'
import { type Corpus, readCorpus } from './corpus.ts'
import { BUILD_ORDER, DPM, LLM, type ModelRecipe, SEED, type StageName } from './recipe.ts'
import { END_OF_TEXT, PADDING, trainTokenizer } from './tokenizers.ts'
import { type OnStep, trainStage } from './train-stage.ts'
import { readTrainingFacts, type StageFacts, writeTrainingFacts } from './training-facts.ts'
import { writeCard } from './write-card.ts'

export interface ZooInit {
  readonly data: string
  readonly out: string
  /** One unless told: then the same seed gives the same weights, bit by bit. */
  readonly threads?: number
  /** Names of the models to make; all unless told. Stages that `out` holds already are kept. */
  readonly only?: readonly string[]
  readonly log: (line: string) => void
}

/**
 * Trains tokenizers and models of the zoo, stage by stage, each into its own folder; what is there already stays. A stage begins
 * from the stored weights of the one before, so that it does not matter where a build was cut off.
 */
export async function buildZoo(init: ZooInit): Promise<void> {
  const corpus = await readCorpus(init.data)
  const { cloudRows, smallModelRows } = corpus
  init.log(`${cloudRows.length} public rows, ${smallModelRows.length} for the small models`)
  const wanted = BUILD_ORDER.filter(([{ name }]) => !init.only || init.only.includes(name))
  for (const [recipe, stage] of wanted) {
    const facts = await readTrainingFacts(join(init.out, recipe.name))
    if (facts?.stages.some((done) => done.stage === stage))
      init.log(`${recipe.name}: ${stage} kept`)
    else await buildStage(recipe, stage, corpus, init)
  }
  for (const recipe of new Set(wanted.map(([each]) => each))) {
    await writeCard(recipe, join(init.out, recipe.name), init.data, init.log)
  }
}

async function buildStage(
  recipe: ModelRecipe,
  stage: StageName,
  corpus: Corpus,
  { out, threads = 1, log }: ZooInit,
): Promise<void> {
  const folder = join(out, recipe.name)
  const file = await tokenizerFile(recipe, stage, corpus, out)
  const tokenizer = createTokenizer(file, {
    config: { eos_token: END_OF_TEXT, pad_token: PADDING },
  })
  const model = modelOf(recipe, tokenizer)
  const random = createRandom(SEED).fork(recipe.name)
  const rows = recipe === LLM || recipe === DPM ? corpus.cloudRows : corpus.smallModelRows
  const { batches, shape, learningRate } = stageBatches(recipe, stage, {
    tokenizer,
    rows,
    prose: corpus.prose,
    random,
  })
  const progress = watchSteps(recipe, stage, log)
  const weights = await trainStage({
    model,
    weights:
      stage === 'pretraining'
        ? initialise(model, random.fork('initialise'))
        : (await loadCheckpoint(folder)).weights,
    batches,
    shape,
    learningRate,
    teacher: recipe === DPM ? await loadCheckpoint(join(out, LLM.name)) : undefined,
    executor: createExecutor('onnxruntime', { threads }),
    onStep: progress.onStep,
  })
  const before = stage === 'pretraining' ? undefined : await readTrainingFacts(folder)
  await saveCheckpoint(folder, { model, weights, dtype: 'float16' })
  await saveTokenizer(folder, file, { eosToken: END_OF_TEXT, padToken: PADDING })
  await writeTrainingFacts(folder, {
    parameters: countParameters(model),
    vocabulary: tokenizer.vocabularySize,
    rows: rows.length,
    domains: [...new Set(rows.map((row) => row.domain ?? ''))].sort(),
    stages: [...(before?.stages ?? []), progress.facts()],
  })
}

interface StageBatches {
  readonly batches: readonly PackedBatch[]
  readonly shape: typeof PRETRAINING_SHAPE
  readonly learningRate: number
}

function stageBatches(
  { name, pretraining, refining }: ModelRecipe,
  stage: StageName,
  init: Parameters<typeof pretrainingBatches>[0],
): StageBatches {
  if (stage === 'pretraining') {
    const batches = pretrainingBatches(init, pretraining)
    return { batches, shape: PRETRAINING_SHAPE, learningRate: pretraining.learningRate }
  }
  if (!refining) throw new TypeError(`${name} is not refined`)
  const batches = refiningBatches(init, refining)
  return { batches, shape: REFINING_SHAPE, learningRate: refining.learningRate }
}

function modelOf(recipe: ModelRecipe, tokenizer: Tokenizer): CausalModel {
  return createModel({
    ...recipe.config,
    vocab_size: tokenizer.vocabularySize,
    eos_token_id: tokenizer.eosId,
    bos_token_id: tokenizer.eosId,
    pad_token_id: tokenizer.padId,
  })
}

/** Trained with the first stage; the proxy model has the large model's. */
async function tokenizerFile(
  recipe: ModelRecipe,
  stage: StageName,
  corpus: Corpus,
  out: string,
): Promise<TokenizerFile> {
  if (recipe !== DPM && stage === 'pretraining') return trainTokenizer(recipe.tokenizer, corpus)
  const path = join(out, recipe === DPM ? LLM.name : recipe.name, 'tokenizer.json')
  return parseTokenizerFile(JSON.parse(await readFile(path, 'utf8')), path)
}

const LOG_EVERY = 50

function watchSteps(
  { name }: ModelRecipe,
  stage: StageName,
  log: (line: string) => void,
): { readonly onStep: OnStep; facts(): StageFacts } {
  const started = Date.now()
  const seconds = () => Math.round((Date.now() - started) / 1000)
  let steps = 0
  let tokens = 0
  let finalLoss = 0
  return {
    onStep: (done, total, loss, count) => {
      steps = done
      tokens += count
      finalLoss = done === 1 ? loss : 0.98 * finalLoss + 0.02 * loss
      if (done % LOG_EVERY !== 0 && done !== total) return
      const rate = Math.round(tokens / Math.max(1, seconds()))
      log(`${name}: ${stage} ${done}/${total} loss ${finalLoss.toFixed(3)} ${rate} tokens/s`)
    },
    facts: () => ({ stage, steps, tokens, finalLoss, seconds: seconds() }),
  }
}
