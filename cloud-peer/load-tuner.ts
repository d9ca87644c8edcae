import { HostedCloudTuner } from '#learning/worker'
import type { CloudConfig } from './config.ts'
import type { Tuner } from './tuner.ts'

/** Loads the models that the configuration names. @throws CotuneError of checkpoints, tokenizers, settings */
export function loadTuner({ models, tuning, engine }: CloudConfig): Promise<Tuner> {
  return HostedCloudTuner.create({
    llm: models.llm,
    dpm: models.dpm,
    settings: tuning,
    engine,
  })
}
