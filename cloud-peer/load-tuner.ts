import type { CloudConfig } from './config.ts'
import type { Tuner } from './tuner.ts'

/** Loads the models that the configuration names. @throws CotuneError of checkpoints, tokenizers, settings */
export async function loadTuner({ models, tuning, engine }: CloudConfig): Promise<Tuner> {
  // Here and not above: what runs without models need not wait for the engine to load.
  const { CloudTuner } = await import('#learning/tuning')
  return CloudTuner.create({
    llm: models.llm,
    dpm: models.dpm,
    settings: tuning,
    executor: engine.executor,
    ...(engine.threads === undefined ? {} : { threads: engine.threads }),
  })
}
