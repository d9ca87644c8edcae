export { natsPerByte, sameTokenizerTargets } from './same-tokenizer.ts'
export { type TuningSettings, tuningSettings, tuningSettingsSchema } from './settings.ts'
export type {
  AdapterWeights,
  DeviceState,
  ModelRole,
  OnProgress,
  Scores,
  TuningProgress,
} from './types.ts'
