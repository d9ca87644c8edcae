import type { Program } from './program.ts'
import type { Tensor } from './tensor.ts'
import type { WeightValue } from './weights.ts'

export type ExecutorName = 'onnxruntime' | 'tensorflow'

/** ONNX Runtime's execution providers that can be asked for, best first; the CPU is always there and the one that is tested. */
export const PROVIDERS = ['cuda', 'coreml', 'dml', 'webgpu', 'cpu'] as const
export type ProviderName = (typeof PROVIDERS)[number]

export interface ExecutorOptions {
  /** What ONNX Runtime computes on; `cpu` unless told. What a provider cannot do is done on the CPU. */
  readonly provider?: ProviderName
  /** Threads of one run; all cores unless told. The TensorFlow executor takes what its backend has. */
  readonly threads?: number | undefined
  /** Lets idle threads spin instead of sleeping: faster alone on a machine, wasteful beside other processes. */
  readonly spin?: boolean
}

/** Compiles programs for one runtime. */
export interface Executor {
  readonly name: ExecutorName
  /**
   * @throws ENGINE_MISSING_WEIGHT, ENGINE_WRONG_TENSOR when a weight lacks or has another shape than its node.
   */
  compile(program: Program, init?: CompileInit): Promise<Session>
}

export interface CompileInit {
  readonly weights?: ReadonlyMap<string, WeightValue>
  /**
   * Packs frozen float32 matrices for the runtime's kernels, in memory of their own, once for x W and once for x W^T;
   * default true. Without it products of many rows are about 5 % slower, of one row a quarter, and mapped weights are
   * read in place.
   */
  readonly prepack?: boolean
}

/** A compiled program and the variables it holds. Calls are served one after the other. */
export interface Session {
  readonly program: Program
  /**
   * Runs the program once on `feeds` (every input of the program, by name) and applies its updates to the variables.
   * Returns all outputs unless told which.
   *
   * @throws ENGINE_UNKNOWN_FEED, ENGINE_MISSING_FEED, ENGINE_WRONG_TENSOR, ENGINE_SESSION_CLOSED
   */
  run(
    feeds: Readonly<Record<string, Tensor>>,
    options?: { readonly outputs?: readonly string[] },
  ): Promise<Record<string, Tensor>>
  /**
   * Sets variables; those not named keep their value. The arrays must not change afterwards.
   *
   * @throws ENGINE_UNKNOWN_VARIABLE, ENGINE_WRONG_TENSOR
   */
  writeVariables(values: ReadonlyMap<string, Tensor>): Promise<void>
  /**
   * The variables' values, all unless named. They are the caller's: later runs do not change them.
   *
   * @throws ENGINE_UNKNOWN_VARIABLE
   */
  readVariables(names?: readonly string[]): Promise<ReadonlyMap<string, Tensor>>
  /** Frees the session once what runs has ended; a second call does nothing. */
  close(): Promise<void>
}
