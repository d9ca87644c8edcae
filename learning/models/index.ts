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
export {
  type Checkpoint,
  type CheckpointWarning,
  CONFIG_FILE,
  inspectCheckpoint,
  loadCheckpoint,
  TOKENIZER_FILE,
} from './checkpoint.ts'
export { checkpointDigest } from './checkpoint-digest.ts'
export { createModel } from './create-model.ts'
export type { HfConfig } from './hf-config.ts'
export { initialise } from './initialise.ts'
export type { LayerAttention } from './layer-attention.ts'
export {
  decodeSafetensors,
  type EncodeSafetensorsOptions,
  encodeSafetensors,
  type StoredDtype,
} from './safetensors.ts'
export { type SaveCheckpointInit, saveCheckpoint } from './save-checkpoint.ts'
export { createScope, frozenScope, variableScope } from './scope.ts'
export { INDEX_FILE, shardNames, WEIGHTS_FILE } from './weight-files.ts'
