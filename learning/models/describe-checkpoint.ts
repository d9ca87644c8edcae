import { sizeOf } from '#engine'
import type { Family } from './causal-model.ts'
import type { OpenCheckpoint } from './open-checkpoint.ts'
import type { WeightDtype } from './safetensors.ts'

/** What a checkpoint folder is, without its numbers. */
export interface CheckpointSummary {
  readonly family: Family
  readonly parameters: number
  readonly layers: number
  readonly hiddenSize: number
  readonly heads: number
  readonly keyValueHeads: number
  readonly headSize: number
  readonly intermediateSize: number
  /** In tokens. */
  readonly contextLength: number
  /** Width of the head. */
  readonly vocabularySize: number
  readonly tiedHead: boolean
  /** How many parameters are stored in each dtype. */
  readonly dtypes: Readonly<Partial<Record<WeightDtype, number>>>
  readonly files: OpenCheckpoint['files']
  /** Bytes of the parameters as they are stored, and in memory as float32. */
  readonly storedBytes: number
  readonly float32Bytes: number
  /** `null` where the folder has none. */
  readonly tokenizer: {
    readonly kind: string
    readonly vocabularySize: number
    readonly eosId: number
  } | null
}

export function describeCheckpoint(checkpoint: OpenCheckpoint): CheckpointSummary {
  const { model, tensors, tokenizer, files } = checkpoint
  const { config } = model
  const dtypes: Partial<Record<WeightDtype, number>> = {}
  let [parameters, storedBytes] = [0, 0]
  for (const { dtype, shape, byteLength } of tensors.values()) {
    dtypes[dtype] = (dtypes[dtype] ?? 0) + sizeOf(shape)
    parameters += sizeOf(shape)
    storedBytes += byteLength
  }
  return {
    family: model.family,
    parameters,
    layers: config.layers,
    hiddenSize: config.hiddenSize,
    heads: config.heads,
    keyValueHeads: config.keyValueHeads,
    headSize: config.headSize,
    intermediateSize: config.intermediateSize,
    contextLength: config.contextLength,
    vocabularySize: config.vocabularySize,
    tiedHead: config.tiedHead,
    dtypes,
    files,
    storedBytes,
    float32Bytes: parameters * Float32Array.BYTES_PER_ELEMENT,
    tokenizer: tokenizer
      ? {
          kind: tokenizer.kind,
          vocabularySize: tokenizer.vocabularySize,
          eosId: tokenizer.eosId,
        }
      : null,
  }
}
