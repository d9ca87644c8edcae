import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createRandom } from '#base'
import { createExecutor, sizeOf } from '#engine'
import { createModel, loadCheckpoint, saveCheckpoint } from '#learning/models'
import {
  createTokenizer,
  parseTokenizerFile,
  saveTokenizer,
  type TokenizerFile,
} from '#learning/text'
import { type Corpus, readCorpus } from './corpus.ts'
import { distil } from './distil.ts'
import { pretrain } from './pretrain.ts'
import { DPM, LLM, type ModelRecipe, SEED, SLMS } from './recipe.ts'
import { END_OF_TEXT, PADDING, trainTokenizer } from './tokenizers.ts'
import { writeTrainingFacts } from './training-facts.ts'

export interface ZooInit {
  readonly data: string
  readonly out: string
  readonly threads?: number
  /** Names of the models to make; all unless told. Those already in `out` are kept. */
  readonly only?: readonly string[]
  readonly log: (line: string) => void
}

/** Trains tokenizers and models of the zoo, each into its own folder; what is there already stays. */
export async function buildZoo(init: ZooInit): Promise<void> {
  const corpus = await readCorpus(init.data)
  init.log(
    `${corpus.cloudRows.length} public rows, ${corpus.smallModelRows.length} of them for the small models`,
  )
  for (const recipe of [...SLMS, LLM, DPM]) {
    if (init.only && !init.only.includes(recipe.name)) continue
    const folder = join(init.out, recipe.name)
    if (existsSync(join(folder, 'model.safetensors'))) init.log(`${recipe.name}: kept`)
    else await buildModel(recipe, corpus, folder, init)
  }
}

async function buildModel(
  recipe: ModelRecipe,
  corpus: Corpus,
  folder: string,
  { out, threads, log }: ZooInit,
): Promise<void> {
  const started = Date.now()
  const isCloud = recipe === LLM || recipe === DPM
  const rows = isCloud ? corpus.cloudRows : corpus.smallModelRows
  const teacher = recipe === DPM ? await loadCheckpoint(join(out, LLM.name)) : undefined
  const file = teacher
    ? await readTokenizerFile(join(out, LLM.name))
    : trainTokenizer(recipe.tokenizer, corpus)
  const tokenizer = createTokenizer(file, {
    config: { eos_token: END_OF_TEXT, pad_token: PADDING },
  })
  log(`${recipe.name}: tokenizer of ${tokenizer.vocabularySize} after ${seconds(started)} s`)
  const model = createModel({
    ...recipe.config,
    vocab_size: tokenizer.vocabularySize,
    eos_token_id: tokenizer.eosId,
    bos_token_id: tokenizer.eosId,
    pad_token_id: tokenizer.padId,
  })
  const executor = createExecutor('onnxruntime', threads === undefined ? {} : { threads })
  let tokens = 0
  let loss = 0
  let steps = 0
  const work = {
    recipe,
    model,
    tokenizer,
    rows,
    corpus,
    executor,
    random: createRandom(SEED).fork(recipe.name),
    onStep: (done: number, total: number, value: number, count: number) => {
      tokens += count
      steps = total
      loss = done === 1 ? value : 0.98 * loss + 0.02 * value
      if (done % 50 === 0 || done === total) {
        const rate = tokens / Math.max(1, seconds(started))
        log(
          `${recipe.name}: step ${done}/${total} loss ${loss.toFixed(3)} ${rate.toFixed(0)} tokens/s`,
        )
      }
    },
  }
  const weights = teacher ? await distil({ ...work, teacher }) : await pretrain(work)
  await saveCheckpoint(folder, { model, weights, dtype: 'float16' })
  await saveTokenizer(folder, file, { eosToken: END_OF_TEXT, padToken: PADDING })
  await writeTrainingFacts(folder, {
    parameters: [...model.parameters.values()].reduce((sum, shape) => sum + sizeOf(shape), 0),
    vocabulary: tokenizer.vocabularySize,
    rows: rows.length,
    domains: [...new Set(rows.map((row) => row.domain ?? 'examples'))].sort(),
    steps,
    tokens,
    finalLoss: loss,
    seconds: seconds(started),
  })
  log(`${recipe.name}: saved after ${seconds(started)} s`)
}

async function readTokenizerFile(folder: string): Promise<TokenizerFile> {
  const path = join(folder, 'tokenizer.json')
  return parseTokenizerFile(JSON.parse(await readFile(path, 'utf8')), path)
}

function seconds(since: number): number {
  return Math.round((Date.now() - since) / 1000)
}
