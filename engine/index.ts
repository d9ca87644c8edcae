export * from './builders.ts'
export type {
  CompileInit,
  Executor,
  ExecutorName,
  ExecutorOptions,
  Session,
} from './executor.ts'
export type { Node, NodeOf, Operator } from './node.ts'
export { printProgram } from './print.ts'
export { createProgram, type Program, type ProgramInit } from './program.ts'
export {
  type DType,
  type Shape,
  sameShape,
  sizeOf,
  type Tensor,
  tensor,
  zeroTensor,
} from './tensor.ts'
