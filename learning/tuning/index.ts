export type { AnswerOptions } from './answer.ts'
export { batchShape } from './batch-shape.ts'
export { type CloudTuneInit, CloudTuner, type CloudTunerInit } from './cloud-tuner.ts'
export {
  DeviceTuner,
  type DeviceTunerInit,
  type TuneInit,
  type TuneResult,
} from './device-tuner.ts'
export { type EvaluateInit, evaluateModel } from './evaluate-model.ts'
export { learningRateAt } from './learning-rate-at.ts'
export { teacherShape } from './mutual-learning.ts'
export { natsPerByte, sameTokenizerTargets } from './same-tokenizer.ts'
export { type TuningSettings, tuningSettings } from './settings.ts'
export type { Tuned, TunedAdapter } from './tuned.ts'
export { loadTunedModel, type ModelDescription, type TunedModel } from './tuned-model.ts'
export type {
  AdapterWeights,
  DeviceState,
  ModelRole,
  OnProgress,
  Scores,
  TuningProgress,
} from './types.ts'
