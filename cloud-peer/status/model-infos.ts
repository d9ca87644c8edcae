import { basename } from 'node:path'
import type { ModelInfo } from '#protocols/api'
import type { CloudConfig } from '../config.ts'
import type { Tuner } from '../tuner.ts'

/** The cloud peer's models, called by the names of their folders. */
export function modelInfos(tuner: Tuner, { models }: CloudConfig): readonly ModelInfo[] {
  const described = tuner.describe()
  return (['llm', 'dpm'] as const).map((role) => {
    const { family, parameters, vocabulary, digest } = described[role]
    return { role, name: basename(models[role]), family, parameters, vocabulary, digest }
  })
}
