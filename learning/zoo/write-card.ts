import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createRandom, packagePath, writeFileAtomic } from '#base'
import { createExecutor } from '#engine'
import { readExamples } from '#learning/data'
import { evaluateModel, loadTunedModel, type Scores } from '#learning/tuning'
import { modelCard } from './model-card.ts'
import { type ModelRecipe, SEED } from './recipe.ts'
import { readTrainingFacts } from './training-facts.ts'

/** Rows of each domain that a card's scores are measured on. */
const ROWS = 100

/** Scores a model on `valid` of every domain and writes its README.md. */
export async function writeCard(
  recipe: ModelRecipe,
  folder: string,
  data: string,
  log: (line: string) => void,
): Promise<void> {
  const role = recipe.name === 'llm' || recipe.name === 'dpm' ? recipe.name : 'slm'
  const model = await loadTunedModel(role, folder)
  const executor = createExecutor('onnxruntime')
  const scores = new Map<string, Scores>()
  for (const [domain, path] of await validFiles(data)) {
    const rows = createRandom(SEED).shuffle(await readExamples(path))
    scores.set(domain, await evaluateModel({ model, examples: rows.slice(0, ROWS), executor }))
    log(`${recipe.name}: ${domain} EM ${scores.get(domain)?.em.toFixed(1)}`)
  }
  const facts = await readTrainingFacts(folder)
  if (!facts) return
  await writeFileAtomic(join(folder, 'README.md'), modelCard({ ...facts, recipe, scores }))
}

async function validFiles(data: string): Promise<Map<string, string>> {
  const folders = [join(data, 'suite'), join(data, 'sni'), packagePath('examples', 'data')]
  const files = await Promise.all(
    folders.map(async (folder) =>
      (await readdir(folder))
        .filter((name) => name.endsWith('.valid.jsonl'))
        .map((name) => [name.replace('.valid.jsonl', ''), join(folder, name)] as const),
    ),
  )
  return new Map(files.flat())
}
