import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '#base'
import type { StageName } from './recipe.ts'

/** What a training run measured of itself; kept beside the model. */
export interface TrainingFacts {
  readonly parameters: number
  readonly vocabulary: number
  /** Rows it may have seen. */
  readonly rows: number
  readonly domains: readonly string[]
  readonly stages: readonly StageFacts[]
}

export interface StageFacts {
  readonly stage: StageName
  readonly steps: number
  readonly tokens: number
  /** Nats a supervised token, averaged over the last steps. */
  readonly finalLoss: number
  readonly seconds: number
}

const FILE = 'training.json'

export async function writeTrainingFacts(folder: string, facts: TrainingFacts): Promise<void> {
  await writeFileAtomic(join(folder, FILE), `${JSON.stringify(facts, undefined, 2)}\n`)
}

/** Undefined where nothing was trained yet. */
export async function readTrainingFacts(folder: string): Promise<TrainingFacts | undefined> {
  const text = await readFile(join(folder, FILE), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as TrainingFacts)
}
