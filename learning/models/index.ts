export type {
  CausalModel,
  Family,
  HiddenInputs,
  HiddenStates,
  KeyValueCache,
  Linear,
  ModelConfig,
  ParameterScope,
} from './causal-model.ts'
export { type Checkpoint, type CheckpointWarning, loadCheckpoint } from './checkpoint.ts'
export { checkpointDigest } from './checkpoint-digest.ts'
export { createModel } from './create-model.ts'
export type { HfConfig } from './hf-config.ts'
export { initialise } from './initialise.ts'
export {
  decodeSafetensors,
  type EncodeSafetensorsOptions,
  encodeSafetensors,
  type StoredDtype,
} from './safetensors.ts'
export { type SaveCheckpointInit, saveCheckpoint } from './save-checkpoint.ts'
export { createScope, frozenScope, variableScope } from './scope.ts'
