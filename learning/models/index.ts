export { cachedHeadSize } from './cached-head-size.ts'
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
export { checkValues } from './check-values.ts'
export { type Checkpoint, loadCheckpoint, readWeights } from './checkpoint.ts'
export { CONFIG_FILE, readCheckpointConfig } from './checkpoint-config.ts'
export { checkpointDigest } from './checkpoint-digest.ts'
export { countParameters } from './count-parameters.ts'
export { createModel } from './create-model.ts'
export { type CheckpointSummary, describeCheckpoint } from './describe-checkpoint.ts'
export { type FrozenBaseOptions, freeze, openFrozenBase } from './frozen/open-frozen-base.ts'
export { type BasePrecision, planWeight, type WeightPlan } from './frozen/weight-plan.ts'
export { float32ToFloat16 } from './half-floats.ts'
export type { HfConfig } from './hf-config.ts'
export { initialise } from './initialise.ts'
export type { LayerAttention } from './layer-attention.ts'
export {
  type CheckpointWarning,
  type OpenCheckpoint,
  openCheckpoint,
  TOKENIZER_FILE,
} from './open-checkpoint.ts'
export {
  decodeSafetensors,
  type EncodeSafetensorsOptions,
  encodeSafetensors,
  type StoredDtype,
} from './safetensors.ts'
export { type SaveCheckpointInit, saveCheckpoint } from './save-checkpoint.ts'
export { createScope, frozenScope, frozenWeight, variableScope } from './scope.ts'
export { INDEX_FILE, MAX_INDEX_BYTES, parseShardIndex } from './shard-index.ts'
export type { StoredTensor } from './stored-tensor.ts'
export { WEIGHTS_FILE } from './weight-files.ts'
