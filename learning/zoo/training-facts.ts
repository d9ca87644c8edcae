import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '#base'

/** What a training run measured of itself; kept beside the model until its card is written. */
export interface TrainingFacts {
  readonly parameters: number
  readonly vocabulary: number
  readonly rows: number
  readonly domains: readonly string[]
  readonly steps: number
  readonly tokens: number
  readonly finalLoss: number
  readonly seconds: number
}

const FILE = 'training.json'

export async function writeTrainingFacts(folder: string, facts: TrainingFacts): Promise<void> {
  await writeFileAtomic(join(folder, FILE), `${JSON.stringify(facts, undefined, 2)}\n`)
}

export async function readTrainingFacts(folder: string): Promise<TrainingFacts> {
  return JSON.parse(await readFile(join(folder, FILE), 'utf8')) as TrainingFacts
}
