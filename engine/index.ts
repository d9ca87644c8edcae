export * from './builders.ts'
export { createExecutor } from './create-executor.ts'
export { createProgram } from './create-program.ts'
export { DYNAMIC_SIZES } from './dynamic-sizes.ts'
export type {
  CompileInit,
  Executor,
  ExecutorName,
  ExecutorOptions,
  ProviderName,
  Session,
} from './executor.ts'
export { gradients } from './gradients.ts'
export { peakLiveBytes } from './live-memory.ts'
export { mergeProducts } from './merge-products.ts'
export type { Node, NodeOf, Operator } from './node.ts'
export {
  type EngineInfo,
  type OpenExecutorInit,
  type OpenedExecutor,
  openExecutor,
} from './open-executor.ts'
export {
  type AdamWOptions,
  adamW,
  type OptimiserStep,
} from './optimiser.ts'
export { printProgram } from './print.ts'
export type { Program, ProgramInit } from './program.ts'
export { allInMemory, inMemory, quantise, quantiseRows, turn } from './quantise.ts'
export { type Recompute, recompute } from './recompute.ts'
export {
  type DType,
  type Shape,
  sizeOf,
  type Tensor,
  tensor,
  zeroTensor,
} from './tensor.ts'
export type {
  BlockFormat,
  Blocks,
  FilePiece,
  MappedTensor,
  QuantisedTensor,
  WeightFormat,
  WeightValue,
} from './weights.ts'
export { writeKnown } from './write-known.ts'
